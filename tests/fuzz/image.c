/* Image references, $(NAME) expansion and base64, as pods and registries bring them. */
#include "node/base64.h"
#include "node/env.h"
#include "node/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena a = {0};
    struct image_ref ref;
    struct buf b = {0};
    struct env env = {0};
    if (image_ref_parse(&a, text, &ref, NULL) == 0)
        image_ref_write(&ref, &b);
    env_set(&env, STR("A"), STR("1"));
    env_expand(&env, text, &b);
    base64_decode(text, &b);
    buf_done(&b);
    env_done(&env);
    arena_done(&a);
    return 0;
}
