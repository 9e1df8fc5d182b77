/* helm_create.c: `tutti helm create`. */
#include <stdlib.h>
#include <string.h>

#include "chart/create.h"
#include "cli/helm.h"

int helm_create(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    const char *starter = NULL;
    const struct helm_flag flags[] = {{"starter", 'p', HELM_TEXT, &starter, NULL}, {0}};
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc != 1)
        return chart_fail(cx, "\"helm create\" requires 1 argument\n\nUsage:  helm create NAME "
                              "[flags]");
    buf_printf(out, "Creating %s\n", argv[0]);
    struct str path = str_of(argv[0]);
    while (path.n > 1 && str_ends(path, STR("/")))
        path.n--;
    struct str name = path_base(path);
    const char *dir = ".";
    if (path.n > name.n)
        dir = arena_z(cx->arena, str_head(path, path.n - name.n > 1 ? path.n - name.n - 1 : 1));
    if (!starter)
        return chart_create(cx, helm_absolute(cx, dir), name, out);
    if (starter[0] != '/')
        starter = arena_printf(cx->arena, "%s/starters/%s", helm_folder(cx, "DATA", ".local/share"),
                               starter)
                      .p;
    return chart_create_from(cx, dir, name, starter);
}
