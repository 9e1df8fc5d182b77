/* Containers from start to end: the runtime with shim, crun and overlayfs. Needs root, crun, and
 * the busybox image that tools/images/build makes. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "node/image.h"
#include "node/oci.h"
#include "node/runtime.h"
#include "node/shim/shim.h"
#include "test.h"

struct lab {
    char dir[64], log[128], id[RUNTIME_ID];
    struct runtime runtime;
    struct image image;
    struct doc doc;
    struct env env;
    int conn;
};

static const char *archive(void)
{
    static const char *const places[] = {"build/images/busybox.tar", "../build/images/busybox.tar"};
    if (getenv("TUTTI_BUSYBOX"))
        return getenv("TUTTI_BUSYBOX");
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], R_OK) == 0)
            return places[i];
    return NULL;
}

static void setup(struct lab *l)
{
    struct err err;
    struct arena a = {0};
    struct image_ref ref;
    *l = (struct lab){.conn = -1};
    if (geteuid())
        test_skip("needs root");
    if (!archive())
        test_skip("needs build/images/busybox.tar");
    if (access("/usr/bin/crun", X_OK))
        test_skip("needs crun");
    strcpy(l->dir, "/var/tmp/node-test-XXXXXX");
    CHECK(mkdtemp(l->dir));
    snprintf(l->log, sizeof(l->log), "%s/0.log", l->dir);
    CHECK_OK(runtime_open(l->dir, &l->runtime, &err), &err);
    CHECK_OK(image_import(l->dir, archive(), &err), &err);
    CHECK_OK(image_ref_parse(&a, STR("busybox:tutti"), &ref, &err), &err);
    CHECK_OK(image_open(l->dir, &ref, &l->image, &err), &err);
    env_set(&l->env, STR("PATH"), STR("/bin"));
    env_set(&l->env, STR("GREETING"), STR("hello"));
    runtime_new_id(l->id);
    arena_done(&a);
}

static int start(struct lab *l, const char *container, struct err *err)
{
    val *spec, *pod, *config;
    char cgroup[256];
    CHECK_OK(doc_parse_json(&l->doc, str_of(container), &spec, err), err);
    CHECK_OK(doc_parse_json(&l->doc, STR("{}"), &pod, err), err);
    snprintf(cgroup, sizeof(cgroup), "/%s/test/%s", l->runtime.tag, l->id);
    struct oci_input in = {.pod_spec = pod,
                           .container = spec,
                           .image = l->image.config,
                           .env = &l->env,
                           .cgroup = cgroup,
                           .cgroup_v2 = l->runtime.cgroup_v2,
                           .host_capabilities = l->runtime.capabilities};
    CHECK_OK(oci_config(&in, &l->doc, &config, err), err);
    const struct runtime_start s = {.id = l->id,
                                    .layers = l->image.layers,
                                    .config = config,
                                    .meta = spec,
                                    .log = l->log,
                                    .tty = VAL_BOOL(spec, "tty"),
                                    .stdin_mode = VAL_BOOL(spec, "stdin")};
    if (runtime_start(&l->runtime, &s, err))
        return -1;
    l->conn = runtime_connect(&l->runtime, l->id);
    return 0;
}

static struct runtime_exit wait_exit(struct lab *l)
{
    struct runtime_exit e;
    struct pollfd wait = {l->conn, POLLIN, 0};
    if (l->conn >= 0)
        CHECK(poll(&wait, 1, 10000) == 1);
    runtime_exit(&l->runtime, l->id, &e);
    return e;
}

/* The texts of the log, without their heads. */
static void read_log(struct lab *l, struct buf *b)
{
    struct buf text = {0};
    struct str rest, line;
    file_read(l->log, 1 << 20, &text, NULL);
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line))
        if (line.n > 31) {
            buf_put(b, str_from(line, 31));
            buf_putc(b, '\n');
        }
    buf_done(&text);
}

static void teardown(struct lab *l)
{
    if (l->conn >= 0)
        close(l->conn);
    image_done(&l->image);
    doc_done(&l->doc);
    env_done(&l->env);
    runtime_remove(&l->runtime, l->id);
    struct err err;
    CHECK_OK(agent_reset(l->dir, &err), &err);
    file_remove_tree(l->dir, NULL);
    runtime_close(&l->runtime);
}

TEST(a_container_runs_and_ends)
{
    struct lab l;
    struct err err;
    struct buf log = {0};
    setup(&l);
    CHECK_OK(start(&l,
                   "{\"command\":[\"sh\",\"-c\",\"echo $(GREETING) from $HOSTNAME; echo bad >&2; "
                   "printf end; exit 7\"]}",
                   &err),
             &err);
    struct runtime_exit e = wait_exit(&l);
    CHECK_INT(e.code, 7);
    CHECK_INT(e.oom_killed, 0);
    read_log(&l, &log);
    CHECK(str_find(buf_str(&log), STR("stdout F hello from")) >= 0);
    CHECK(str_find(buf_str(&log), STR("stderr F bad\n")) >= 0);
    CHECK(str_find(buf_str(&log), STR("stdout P end\n")) >= 0);
    buf_done(&log);
    teardown(&l);
}

TEST(a_program_that_is_not_there)
{
    struct lab l;
    struct err err = {0};
    setup(&l);
    CHECK(start(&l, "{\"command\":[\"nowhere\"]}", &err) != 0);
    CHECK(strstr(err.message, "executable file `nowhere` not found"));
    teardown(&l);
}

TEST(signals_go_through_the_shim)
{
    struct lab l;
    struct err err;
    setup(&l);
    CHECK_OK(start(&l, "{\"command\":[\"sleep\",\"100\"]}", &err), &err);
    CHECK(runtime_pid(&l.runtime, l.id, NULL) > 1);
    CHECK_INT(runtime_kill(&l.runtime, l.id, SIGKILL), 0);
    struct runtime_exit e = wait_exit(&l);
    CHECK_INT(e.code, 137);
    CHECK_INT(e.signal, SIGKILL);
    CHECK(!e.oom_killed && !e.unknown);
    CHECK_INT(runtime_connect(&l.runtime, l.id), -1);
    teardown(&l);
}

TEST(too_much_memory_is_told_from_a_kill)
{
    struct lab l;
    struct err err;
    setup(&l);
    CHECK_OK(start(&l,
                   "{\"command\":[\"sh\",\"-c\",\"exec tail /dev/zero\"],\"resources\":{\"limits\":"
                   "{\"memory\":\"16Mi\"}}}",
                   &err),
             &err);
    struct runtime_exit e = wait_exit(&l);
    CHECK_INT(e.code, 137);
    CHECK(e.oom_killed);
    teardown(&l);
}

TEST(a_command_in_a_container)
{
    struct lab l;
    struct err err;
    val *process;
    struct buf out = {0};
    int code;
    setup(&l);
    CHECK_OK(start(&l, "{\"command\":[\"sleep\",\"100\"]}", &err), &err);
    CHECK_OK(doc_parse_json(&l.doc,
                            STR("{\"args\":[\"sh\",\"-c\",\"id -u; exit 3\"],\"cwd\":\"/"
                                "\",\"env\":[\"PATH=/bin\"],\"user\":{\"uid\":1000,\"gid\":1000}}"),
                            &process, &err),
             &err);
    CHECK_OK(runtime_exec_wait(&l.runtime, l.id, process, 5000, 1000, &out, &code, &err), &err);
    CHECK_INT(code, 3);
    CHECK_STR(buf_str(&out), "1000\n");
    CHECK_OK(doc_parse_json(
                 &l.doc, STR("{\"args\":[\"sleep\",\"77\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin\"]}"),
                 &process, &err),
             &err);
    int64_t before = mono_ms(world_real());
    CHECK_OK(runtime_exec_wait(&l.runtime, l.id, process, 300, 1000, NULL, &code, &err), &err);
    CHECK_INT(code, -1);
    CHECK(mono_ms(world_real()) - before < 3000);
    buf_done(&out);
    runtime_kill(&l.runtime, l.id, SIGKILL);
    wait_exit(&l);
    teardown(&l);
}

TEST(a_terminal_takes_input)
{
    struct lab l;
    struct err err;
    struct buf log = {0};
    char packet[256];
    setup(&l);
    CHECK_OK(start(&l, "{\"command\":[\"sh\"],\"tty\":true,\"stdin\":true}", &err), &err);
    packet[0] = SHIM_ATTACH;
    CHECK(send(l.conn, packet, 1, 0) == 1);
    CHECK(recv(l.conn, packet, sizeof(packet), 0) == 1 && packet[0] == SHIM_ATTACH);
    int n = snprintf(packet, sizeof(packet), "%cecho one$((1+1))\nexit 4\n", SHIM_STDIN);
    CHECK(send(l.conn, packet, (size_t)n, 0) == n);
    for (;;) {
        ssize_t got = recv(l.conn, packet, sizeof(packet), 0);
        if (got <= 0)
            break;
        CHECK_INT(packet[0], SHIM_STDOUT);
        buf_append(&log, packet + 1, (size_t)got - 1);
    }
    CHECK(str_find(buf_str(&log), STR("one2\r\n")) >= 0);
    struct runtime_exit e;
    runtime_exit(&l.runtime, l.id, &e);
    CHECK_INT(e.code, 4);
    buf_done(&log);
    teardown(&l);
}

TEST(a_killed_shim_leaves_no_container)
{
    struct lab l;
    struct err err;
    setup(&l);
    CHECK_OK(start(&l, "{\"command\":[\"sleep\",\"100\"]}", &err), &err);
    pid_t pid = runtime_pid(&l.runtime, l.id, NULL);
    char path[64], comm[64];
    struct buf stat = {0}, name = {0};
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int parent;
    do { /* crun is the parent for a moment, until it ends */
        buf_clear(&stat);
        buf_clear(&name);
        CHECK_OK(file_read(path, 4096, &stat, &err), &err);
        parent = atoi(strrchr(stat.p, ')') + 4);
        snprintf(comm, sizeof(comm), "/proc/%d/comm", parent);
        file_read(comm, 64, &name, NULL);
    } while (str_starts(buf_str(&name), STR("crun")) && usleep(1000) == 0);
    buf_done(&name);
    CHECK_INT(kill(parent, SIGKILL), 0);
    struct runtime_exit e = wait_exit(&l);
    CHECK(e.unknown);
    bool gone = false;
    for (int i = 0; i < 100 && !gone; i++) {
        usleep(20 * 1000);
        buf_clear(&stat);
        gone = file_read(path, 4096, &stat, NULL) || strstr(stat.p, ") Z");
    }
    CHECK(gone);
    buf_done(&stat);
    teardown(&l);
}
