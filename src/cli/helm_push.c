/* helm_push.c: `tutti helm push`: packed charts into registries. */
#include <sys/stat.h>

#include "base/file.h"
#include "chart/oci.h"
#include "cli/helm.h"
#include "doc/time.h"

static int read_file(struct chart_ctx *cx, const char *path, struct str *ret)
{
    struct buf b = {0};
    struct err err;
    int status = file_read(path, CHART_MAX_TOTAL, &b, &err);
    *ret = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return status == 0 ? 0 : chart_fail_file(cx, &err);
}

static int push(struct chart_ctx *cx, const struct helm_source *source, const char *path,
                struct str remote)
{
    struct stat st, prov;
    struct str chart, provenance;
    struct chart_access access = helm_access(source);
    struct chart_home home = helm_home(cx);
    const char *prov_path = arena_printf(cx->arena, "%s.prov", path).p;
    char created[TIME_TEXT];
    struct str scheme;
    if (!oci_is_url(remote) && str_cut(remote, ':', &scheme, &(struct str){0}) && scheme.n)
        return chart_fail(cx, "scheme \"%.*s\" not supported", STR_ARG(scheme));
    if (!oci_is_url(remote))
        return chart_fail(cx, "scheme prefix missing from remote (e.g. \"oci://\")");
    if (stat(path, &st) != 0)
        return chart_fail(cx, "%s: no such file", path);
    if (S_ISDIR(st.st_mode))
        return chart_fail(cx, "cannot push directory, must provide chart archive (.tgz)");
    bool signed_too = stat(prov_path, &prov) == 0;
    if (read_file(cx, path, &chart) != 0 ||
        (signed_too && read_file(cx, prov_path, &provenance) != 0))
        return -1;
    time_write((int64_t)st.st_mtim.tv_sec * 1000000000, created);
    return oci_push(cx, &home, &access, remote, chart, signed_too ? &provenance : NULL,
                    str_of(created));
}

int helm_push(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct helm_source source = {0};
    const struct helm_flag flags[] = {HELM_ACCESS_FLAGS(source), {0}};
    (void)out;
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc < 2)
        return chart_fail(cx, "\"helm push\" requires at least 2 arguments\n\nUsage:  helm push "
                              "[chart] [remote] [flags]");
    return push(cx, &source, argv[0], str_of(argv[1]));
}
