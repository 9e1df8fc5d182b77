/* helm_verify.c: `tutti helm verify`. */
#include "cli/helm.h"

int helm_verify(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    const char *keyring = helm_default_keyring(cx);
    struct verification v;
    const struct helm_flag flags[] = {{"keyring", 0, HELM_TEXT, &keyring, NULL}, {0}};
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc != 1)
        return chart_fail(cx, "\"helm verify\" requires 1 argument\n\nUsage:  helm verify PATH "
                              "[flags]");
    if (provenance_verify(cx, argv[0], keyring, &v) != 0)
        return -1;
    provenance_put(&v, out);
    return 0;
}
