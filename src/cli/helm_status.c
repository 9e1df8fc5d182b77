/* helm_status.c: `tutti helm status`: where one release stands. */
#include "cli/helm.h"
#include "release/resources.h"

int helm_status(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct helm_shown shown = {0};
    const char *output = NULL;
    int64_t revision = 0;
    const struct helm_flag flags[] = {
        {"output", 'o', HELM_TEXT, &output, NULL},
        {"revision", 0, HELM_INT, &revision, NULL},
        {"show-desc", 0, HELM_SWITCH, &shown.description, NULL},
        {"show-resources", 0, HELM_SWITCH, &shown.resources, NULL},
        {0},
    };
    enum helm_format format;
    struct helm_records records;
    struct release *r;
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0 ||
        helm_format_of(cx, output, &format) != 0)
        return -1;
    if (argc != 1)
        return chart_fail(cx, "\"helm status\" requires 1 argument\n\nUsage:  helm status "
                              "RELEASE_NAME [flags]");
    int status = helm_records_open(cx, helm_namespace(cx), 0, &records);
    if (status == 0)
        status = helm_release_content(cx, records.storage, argv[0], revision, &r);
    if (status == 0 && shown.resources)
        status = resources_of_release(cx, records.cluster, r, format == HELM_TABLE, &r->resources);
    helm_records_close(&records);
    if (status != 0)
        return -1;
    r->chart = NULL;
    return helm_put_release(cx, r, format, shown, out);
}
