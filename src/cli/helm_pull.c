/* helm_pull.c: `tutti helm pull`: charts from repositories and registries into a folder. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/helm.h"

struct options {
    struct helm_source source;
    const char *destination, *untar_dir;
    bool untar, provenance;
};

static const char *join(struct chart_ctx *cx, const char *dir, const char *name)
{
    if (strcmp(dir, ".") == 0)
        return name;
    return arena_printf(cx->arena, "%s%s%s", dir, str_ends(str_of(dir), STR("/")) ? "" : "/", name)
        .p;
}

/* The chart's folder must not be there: what is in it would be mixed with the chart. */
static int make_room(struct chart_ctx *cx, const char *where, const char *reference)
{
    struct str last = str_of(reference);
    const char *slash = strrchr(reference, '/');
    struct stat st;
    struct err err;
    if (slash)
        last = str_of(slash + 1);
    const char *folder = strcmp(where, ".") == 0 ? arena_z(cx->arena, last)
                                                 : join(cx, where, arena_z(cx->arena, last));
    if (stat(folder, &st) == 0)
        return chart_fail(
            cx, "failed to untar: a file or directory with the name %s already exists", folder);
    if (file_mkdirs(folder, 0755, &err) != 0) {
        chart_fail_file(cx, &err);
        return chart_wrap(cx, "failed to untar (mkdir)");
    }
    return 0;
}

static int unpack(struct chart_ctx *cx, const struct options *o, const char *reference,
                  const char *file)
{
    const char *where =
        o->untar_dir[0] == '/' ? o->untar_dir : join(cx, o->destination, o->untar_dir);
    if (str_ends(str_of(where), STR("/.")))
        where = arena_z(cx->arena, str_head(str_of(where), strlen(where) - 2));
    if (make_room(cx, where, reference) != 0)
        return -1;
    return chart_expand(cx, where, file);
}

static int pull_one(struct chart_ctx *cx, const struct options *o, const char *reference,
                    struct buf *out)
{
    struct chart_source from = helm_chart_source(cx, &o->source);
    struct chart_home home = helm_home(cx);
    struct chart_download got;
    CLEANUP(mem_freep) char *scratch = NULL;
    if (from.verify == VERIFY_NEVER && o->provenance)
        from.verify = VERIFY_LATER;
    if (o->untar && file_make_temp("helm", &scratch) != 0)
        return chart_fail(cx, "failed to untar: mkdir %s: %s", scratch, strerror(errno));
    int status =
        chart_fetch(cx, &home, str_of(reference), &from, scratch ? scratch : o->destination, &got);
    if (status == 0)
        buf_put(out, got.warning);
    if (status == 0 && got.verification.file_hash.n)
        provenance_put(&got.verification, out);
    if (status == 0 && o->untar)
        status = unpack(cx, o, reference, got.path);
    if (scratch)
        file_remove_tree(scratch, NULL);
    return status;
}

int helm_pull(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {.destination = ".", .untar_dir = "."};
    const struct helm_flag flags[] = {
        HELM_SOURCE_FLAGS(o.source),
        {"destination", 'd', HELM_TEXT, &o.destination, NULL},
        {"prov", 0, HELM_SWITCH, &o.provenance, NULL},
        {"untar", 0, HELM_SWITCH, &o.untar, NULL},
        {"untardir", 0, HELM_TEXT, &o.untar_dir, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc == 0)
        return chart_fail(cx, "\"helm pull\" requires at least 1 argument\n\nUsage:  helm pull "
                              "[chart URL | repo/chartname] [...] [flags]");
    for (int i = 0; i < argc; i++)
        if (pull_one(cx, &o, argv[i], out) != 0)
            return -1;
    return 0;
}
