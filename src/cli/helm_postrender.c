/* helm_postrender.c: a program that may change the manifests before they are used. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/helm.h"

extern char **environ;

enum { MAX_OUTPUT = 256 * 1024 * 1024 };

/* A file without a name, rewound, that holds the text. */
static FILE *file_of(struct str text)
{
    FILE *f = tmpfile();
    if (f && (fwrite(text.p, 1, text.n, f) != text.n || fflush(f) != 0 || fseek(f, 0, SEEK_SET))) {
        fclose(f);
        return NULL;
    }
    return f;
}

static void read_all(FILE *f, struct buf *b)
{
    size_t n;
    rewind(f);
    do {
        n = fread(buf_reserve(b, 65536), 1, 65536, f);
        b->n += n;
    } while (n > 0 && b->n < MAX_OUTPUT);
}

static int run(char *const *argv, FILE *in, FILE *out, FILE *err, int *ret_status)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none); /* this program may hold signals back */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(in), 0);
    posix_spawn_file_actions_adddup2(&actions, fileno(out), 1);
    posix_spawn_file_actions_adddup2(&actions, fileno(err), 2);
    int problem = posix_spawnp(&pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (problem != 0)
        return problem;
    while (waitpid(pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

static int render(struct chart_ctx *cx, char *const *argv, struct buf *manifests, FILE *in,
                  FILE *out, FILE *err)
{
    int status = 0, problem = run(argv, in, out, err, &status);
    struct buf text = {0};
    if (problem != 0)
        return chart_fail(cx,
                          "error while running post render on files: unable to find binary at %s: "
                          "exec: \"%s\": %s",
                          argv[0], argv[0], strerror(problem));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        read_all(err, &text);
        chart_fail(cx,
                   "error while running post render on files: error while running command %s. "
                   "error output:\n%.*s: exit status %d",
                   argv[0], STR_ARG(buf_str(&text)), WIFEXITED(status) ? WEXITSTATUS(status) : -1);
        buf_done(&text);
        return -1;
    }
    read_all(out, &text);
    if (str_trim(buf_str(&text)).n == 0) {
        buf_done(&text);
        return chart_fail(cx,
                          "error while running post render on files: post-renderer \"%s\" "
                          "produced empty output",
                          argv[0]);
    }
    buf_done(manifests);
    *manifests = text;
    return 0;
}

/* Go's exec.LookPath, told as pflag tells a flag's error. */
int helm_find_post_renderer(struct chart_ctx *cx, const char *name, const char **ret)
{
    struct str path = str_of(getenv("PATH")), dir;
    if (strchr(name, '/')) {
        *ret = name;
        if (access(name, X_OK) == 0)
            return 0;
        return chart_fail(cx,
                          "invalid argument \"%s\" for \"--post-renderer\" flag: unable to find "
                          "binary at %s: exec: \"%s\": stat %s: no such file or directory",
                          name, name, name, name);
    }
    while (str_next(&path, ':', &dir)) {
        *ret = arena_printf(cx->arena, "%.*s/%s", STR_ARG(dir), name).p;
        if (access(*ret, X_OK) == 0)
            return 0;
    }
    return chart_fail(cx,
                      "invalid argument \"%s\" for \"--post-renderer\" flag: unable to find binary "
                      "at %s: exec: \"%s\": executable file not found in $PATH",
                      name, name, name);
}

int helm_post_render(struct chart_ctx *cx, const char *program, const struct chart_strs *args,
                     struct buf *manifests)
{
    char **argv = arena_zalloc(cx->arena, (args->n + 2) * sizeof(*argv));
    argv[0] = arena_z(cx->arena, str_of(program));
    for (size_t i = 0; i < args->n; i++)
        argv[i + 1] = arena_z(cx->arena, args->items[i]);
    FILE *in = file_of(buf_str(manifests)), *out = tmpfile(), *err = tmpfile();
    int status = in && out && err ? render(cx, argv, manifests, in, out, err)
                                  : chart_fail(cx, "temporary file: %s", strerror(errno));
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    if (err)
        fclose(err);
    return status;
}
