/* etcd_fixture.h: etcd members on loopback, each in a folder of its own. The program is `etcd` on
 * the PATH or peers/etcd in the build folder (tests/bench/run builds it there); without one the
 * test is skipped. */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "test.h"

enum { ETCD_MEMBERS = 3 };

struct etcd_member {
    pid_t pid;
    int client_port, peer_port;
};

struct etcd_cluster {
    char dir[64];
    size_t count;
    struct etcd_member members[ETCD_MEMBERS];
    char endpoints[128]; /* of all */
    bool sync;           /* with fsync, as in earnest */
    bool tls;            /* clients need a certificate: dir/ca.crt, client.crt, client.key */
};

#define ETCD_DEBIAN ETCD_PEER "-server/usr/bin/etcd" /* unpacked by tools/setup */

static inline const char *etcd_program(void)
{
    static char found[512];
    const char *path = getenv("PATH");
    struct str rest = str_of(path), one;
    while (str_next(&rest, ':', &one)) {
        snprintf(found, sizeof(found), "%.*s/etcd", STR_ARG(one));
        if (access(found, X_OK) == 0)
            return found;
    }
    if (access(ETCD_PEER, X_OK) == 0)
        return ETCD_PEER;
    if (access(ETCD_DEBIAN, X_OK) == 0)
        return ETCD_DEBIAN;
    test_skip("no etcd on the PATH or at " ETCD_PEER);
}

static inline int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&a, n) == 0 &&
          getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    close(fd);
    return ntohs(a.sin_port);
}

static inline void etcd_member_start(struct etcd_cluster *c, size_t i)
{
    const char *program = etcd_program();
    char dir[128], name[8], client[64], peer[64], log[128];
    struct buf all = {0};
    for (size_t j = 0; j < c->count; j++)
        buf_printf(&all, "%sm%zu=http://127.0.0.1:%d", j ? "," : "", j, c->members[j].peer_port);
    snprintf(name, sizeof(name), "m%zu", i);
    snprintf(dir, sizeof(dir), "%s/%s", c->dir, name);
    snprintf(log, sizeof(log), "%s/%s.log", c->dir, name);
    snprintf(client, sizeof(client), "http%s://127.0.0.1:%d", c->tls ? "s" : "",
             c->members[i].client_port);
    char pem[3][128];
    const char *files[] = {"server.crt", "server.key", "ca.crt"};
    for (size_t j = 0; j < 3; j++)
        snprintf(pem[j], sizeof(pem[j]), "%s/%s", c->dir, files[j]);
    snprintf(peer, sizeof(peer), "http://127.0.0.1:%d", c->members[i].peer_port);
    const char *args[] = {program,
                          "--name",
                          name,
                          "--data-dir",
                          dir,
                          "--listen-client-urls",
                          client,
                          "--advertise-client-urls",
                          client,
                          "--listen-peer-urls",
                          peer,
                          "--initial-advertise-peer-urls",
                          peer,
                          "--initial-cluster",
                          buf_z(&all),
                          "--log-level",
                          "warn",
                          "--heartbeat-interval",
                          c->count == 1 ? "10" : "100",
                          "--election-timeout", /* one alone need not wait for others */
                          c->count == 1 ? "100" : "1000",
                          c->sync ? "--pre-vote" : "--unsafe-no-fsync",
                          c->tls ? "--client-cert-auth" : NULL,
                          "--cert-file",
                          pem[0],
                          "--key-file",
                          pem[1],
                          "--trusted-ca-file",
                          pem[2],
                          NULL};
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* no member outlives its test */
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        execv(program, (char **)args);
        _exit(127);
    }
    buf_done(&all);
    c->members[i].pid = pid;
}

static inline void etcd_member_kill(struct etcd_cluster *c, size_t i)
{
    if (c->members[i].pid <= 0)
        return;
    kill(c->members[i].pid, SIGKILL);
    waitpid(c->members[i].pid, NULL, 0);
    c->members[i].pid = 0;
}

/* An authority, a server's certificate and a client's. */
static inline void etcd_make_certificates(const char *dir)
{
    static const char script[] =
        "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj "
        "/CN=ca -keyout ca.key -out ca.crt && for n in server client; do openssl req -newkey ec "
        "-pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$n -keyout $n.key -out $n.csr && printf "
        "'subjectAltName=IP:127.0.0.1\\n' >ext && openssl x509 -req -in $n.csr -CA ca.crt -CAkey "
        "ca.key -days 2 -CAcreateserial -extfile ext -out $n.crt || exit 1; done";
    char command[1024], all[1100];
    snprintf(command, sizeof(command), script, dir);
    snprintf(all, sizeof(all), "(%s) >%s/openssl.log 2>&1", command, dir);
    if (system("command -v openssl >/dev/null") != 0)
        test_skip("no openssl on the PATH");
    CHECK(system(all) == 0);
}

static inline void etcd_cluster_start(struct etcd_cluster *c, size_t count)
{
    etcd_program();
    c->count = count;
    snprintf(c->dir, sizeof(c->dir), "/tmp/tutti-etcd-XXXXXX");
    CHECK(mkdtemp(c->dir));
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        c->members[i].client_port = free_port();
        c->members[i].peer_port = free_port();
        n += (size_t)snprintf(c->endpoints + n, sizeof(c->endpoints) - n, "%shttp%s://127.0.0.1:%d",
                              i ? "," : "", c->tls ? "s" : "", c->members[i].client_port);
    }
    if (c->tls)
        etcd_make_certificates(c->dir);
    for (size_t i = 0; i < count; i++)
        etcd_member_start(c, i);
}

static inline void etcd_cluster_stop(struct etcd_cluster *c)
{
    struct err err;
    for (size_t i = 0; i < c->count; i++)
        etcd_member_kill(c, i);
    if (c->count)
        file_remove_tree(c->dir, &err);
    *c = (struct etcd_cluster){.sync = c->sync};
}

/* A request to etcd's own JSON gateway, past the store: bytes in it are base64. */
static inline bool etcd_try_post(struct etcd_cluster *c, const char *path, const char *json)
{
    char command[1024];
    snprintf(command, sizeof(command), "curl -sf -m 5 -o %s/reply -d '%s' http://127.0.0.1:%d%s",
             c->dir, json, c->members[0].client_port, path);
    return system(command) == 0;
}

static inline void etcd_post(struct etcd_cluster *c, const char *path, const char *json)
{
    CHECK(etcd_try_post(c, path, json));
}
