/* Descriptions of the fields that every object has. Others have none: the schemas are data, and
 * prose about each field is not. */
#include <string.h>

#include "api/openapi/internal.h"

#define CONVENTIONS                                                                                \
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

static const struct {
    const char *of, *field, *text;
} texts[] = {
    {NULL, "apiVersion",
     "APIVersion defines the versioned schema of this representation of an object. Servers should "
     "convert recognized schemas to the latest internal value, and may reject unrecognized values. "
     "More info: " CONVENTIONS "#resources"},
    {NULL, "kind",
     "Kind is a string value representing the REST resource this object represents. Servers may "
     "infer this from the endpoint the client submits requests to. Cannot be updated. In "
     "CamelCase. More info: " CONVENTIONS "#types-kinds"},
    {NULL, "metadata", "Standard object's metadata. More info: " CONVENTIONS "#metadata"},
    {META "ListMeta", "metadata", "Standard list metadata. More info: " CONVENTIONS "#types-kinds"},
    {META "ObjectMeta", "creationTimestamp",
     "CreationTimestamp is a timestamp representing the server time when this object was created."},
};

const char *openapi_description(const char *of, const char *field)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if ((of && texts[i].of ? strcmp(of, texts[i].of) == 0 : of == texts[i].of) &&
            strcmp(field, texts[i].field) == 0)
            return texts[i].text;
    return NULL;
}
