/* tutti up: server and agent as supervised processes over one data directory. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/ready.h"
#include "cli/supervise.h"

struct up {
    const char *data_dir, *listen, *node_name, *service_cidr, *pod_cidr;
    const char *advertise;                                          /* NULL: not given */
    const char *store, *etcd_cafile, *etcd_certfile, *etcd_keyfile; /* NULL: not given */
    const char *compaction;
    bool no_agent;
    int64_t started_ns;
    struct supervisor *supervisor;
};

/* Two programs over one data directory would destroy it; the kernel drops the lock with the last
 * holder. */
static int lock_dir(const char *dir, int *ret_fd, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/lock", dir);
    CLEANUP(mem_freep) char *z = buf_take(&path);
    int fd = open(z, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, "open %s", z);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        return err_internal(err, "%s is in use by another tutti", dir);
    }
    *ret_fd = fd;
    return 0;
}

/* Waits until `check` says yes, serving the children meanwhile. 0, or the signal that ended the
 * wait. */
static int wait_ready(struct up *u, bool (*check)(const struct up *u), const char *role,
                      bool *ret_ready)
{
    int64_t until = mono_ms(world_real()) + 30000;
    *ret_ready = false;
    while (mono_ms(world_real()) < until) {
        if (check(u)) {
            *ret_ready = true;
            return 0;
        }
        int caught = supervisor_turn(u->supervisor, 10);
        if (caught)
            return caught;
        if (supervisor_starts(u->supervisor, role) > 3)
            return 0;
    }
    return 0;
}

static bool server_ready(const struct up *u)
{
    return ready_server(u->data_dir);
}

static bool node_ready(const struct up *u)
{
    return ready_node(u->data_dir, u->node_name, u->started_ns);
}

static void show_log_tail(const char *log_path)
{
    struct buf text = {0};
    struct err err;
    if (file_read(log_path, 64 * 1024 * 1024, &text, &err) == 0) {
        struct str tail = str_from(buf_str(&text), text.n > 2000 ? text.n - 2000 : 0);
        fprintf(stderr, "the end of %s:\n%.*s\n", log_path, STR_ARG(tail));
    }
    buf_done(&text);
}

/* The words behind `tutti` for the server; options that nobody gave are left to its defaults. */
static void server_words(const struct up *u, const char **ret)
{
    const struct {
        const char *name, *value;
    } options[] = {{"--data-dir", u->data_dir},
                   {"--listen", u->listen},
                   {"--node-name", u->node_name},
                   {"--advertise-address", u->advertise},
                   {"--service-cidr", u->service_cidr},
                   {"--pod-cidr", u->pod_cidr},
                   {"--store", u->store},
                   {"--etcd-cafile", u->etcd_cafile},
                   {"--etcd-certfile", u->etcd_certfile},
                   {"--etcd-keyfile", u->etcd_keyfile},
                   {"--etcd-compaction-interval", u->compaction}};
    size_t n = 0;
    ret[n++] = "server";
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (!options[i].value)
            continue;
        ret[n++] = options[i].name;
        ret[n++] = options[i].value;
    }
    ret[n] = NULL;
}

static int serve(struct up *u, const char *log_path, struct err *err)
{
    const char *server[26];
    server_words(u, server);
    const char *const agent[] = {"agent",       "--data-dir", u->data_dir,
                                 "--node-name", u->node_name, NULL};
    int64_t start = mono_ms(world_real());
    bool ready;

    if (supervisor_start(u->supervisor, server, err))
        return -1;
    int caught = wait_ready(u, server_ready, "server", &ready);
    if (!caught && !ready) {
        show_log_tail(log_path);
        return err_internal(err, "the server did not become ready");
    }
    if (!caught)
        printf("  server  ready after %lld ms, https://%s\n",
               (long long)(mono_ms(world_real()) - start), u->listen);
    if (!caught && !u->no_agent) {
        if (supervisor_start(u->supervisor, agent, err))
            return -1;
        caught = wait_ready(u, node_ready, "agent", &ready);
        if (!caught && ready)
            printf("  agent   ready after %lld ms\n", (long long)(mono_ms(world_real()) - start));
        else if (!caught)
            printf("  agent   not ready yet, see %s\n", log_path);
    }
    if (!caught)
        printf("\nPoint kubectl at it:\n\n  export KUBECONFIG=%s/admin.kubeconfig\n\nThe log is "
               "%s. Ctrl-C stops tutti; pods keep running until `tutti reset`.\n",
               u->data_dir, log_path);
    fflush(stdout);
    while (!caught)
        caught = supervisor_turn(u->supervisor, 1000);
    return 0;
}

int cmd_up(int argc, char **argv)
{
    char host[256];
    default_node_name(host, sizeof(host));
    struct up u = {.data_dir = CLI_DEFAULT_DATA_DIR,
                   .listen = CLI_DEFAULT_LISTEN,
                   .node_name = host,

                   .started_ns = wall_ns(world_real())};
    const struct cli_option options[] = {
        {"data-dir", &u.data_dir, NULL, "DIR",
         "where everything is kept (" CLI_DEFAULT_DATA_DIR ")"},
        {"listen", &u.listen, NULL, "ADDR:PORT",
         "where the API is served (" CLI_DEFAULT_LISTEN ")"},
        {"advertise-address", &u.advertise, NULL, "IP",
         "where agents, pods and other servers reach this one (the address listened on)"},
        {"node-name", &u.node_name, NULL, "NAME", "this node's name (the host's)"},
        {"service-cidr", &u.service_cidr, NULL, "CIDR",
         "addresses of services (a free /16 in 10.96.0.0/12, kept)"},
        {"pod-cidr", &u.pod_cidr, NULL, "CIDR",
         "addresses of pods (a free /16 from 10.244.0.0 on, kept)"},
        {"store", &u.store, NULL, "STORE", "etcd=URL,URL… instead of the store in DIR"},
        {"etcd-cafile", &u.etcd_cafile, NULL, "FILE", "who signs etcd's certificates"},
        {"etcd-certfile", &u.etcd_certfile, NULL, "FILE", "the certificate shown to etcd"},
        {"etcd-keyfile", &u.etcd_keyfile, NULL, "FILE", "its key"},
        {"etcd-compaction-interval", &u.compaction, NULL, "DURATION",
         "how long old resource versions and continue tokens are good for (5m0s)"},
        {"no-agent", NULL, &u.no_agent, NULL, "run the server alone"},
        {0},
    };
    int rest;
    int parsed = cli_parse("up", options, argc, argv, &rest);
    if (parsed)
        return parsed < 0 ? 2 : 0;
    if (rest) {
        fprintf(stderr, "tutti up: unexpected argument \"%s\"\n", argv[0]);
        return 2;
    }
    struct err err;
    CLEANUP(fd_closep) int lock = -1;
    if (file_mkdirs(u.data_dir, 0700, &err) || lock_dir(u.data_dir, &lock, &err))
        return cli_fail("up", &err);
    CLEANUP(mem_freep) char *dir = realpath(u.data_dir, NULL);
    if (dir)
        u.data_dir = dir;
    struct buf path = {0};
    buf_printf(&path, "%s/tutti.log", u.data_dir);
    CLEANUP(mem_freep) char *log_path = buf_take(&path);
    if (supervisor_new(log_path, &u.supervisor, &err))
        return cli_fail("up", &err);
    printf("tutti %s, data in %s\n", TUTTI_VERSION, u.data_dir);
    fflush(stdout);
    int code = serve(&u, log_path, &err) ? cli_fail("up", &err) : 0;
    supervisor_stop(u.supervisor, 10000);
    supervisor_free(u.supervisor);
    return code;
}
