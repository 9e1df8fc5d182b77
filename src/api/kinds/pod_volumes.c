/* Volumes of a pod spec: upstream's ValidateVolumes. Sources that the node agent does not know are
 * accepted when they stand alone; it refuses the pod. */
#include "api/kinds/kinds.h"

static const char mode_text[] = "must be a number between 0 and 0777 (octal), both inclusive";

static void check_mode(struct check *k, const val *obj, const char *member)
{
    const val *mode = val_get(obj, member);
    if (!val_is_null(mode) && (val_int(mode) < 0 || val_int(mode) > 0777))
        check_invalid_int(k, member, val_int(mode), mode_text);
}

static bool has_backsteps(struct str path)
{
    struct str rest = path, part;
    while (str_next(&rest, '/', &part))
        if (str_is(part, ".."))
            return true;
    return false;
}

/* Relative, without "..", and not beginning with "..", which the agent uses for itself. */
static void check_local_path(struct check *k, const char *field, struct str path)
{
    if (path.n && path.p[0] == '/')
        check_invalid(k, field, path, "must be a relative path");
    if (has_backsteps(path))
        check_invalid(k, field, path, "must not contain '..'");
    else if (str_starts(path, STR("..")) && !str_starts(path, STR("../")))
        check_invalid(k, field, path, "must not start with '..'");
}

static void require(struct check *k, const val *obj, const char *member)
{
    if (VAL_STR(obj, member).n == 0)
        check_required(k, member, "");
}

static void check_items(struct check *k, const val *items)
{
    size_t i = 0;
    size_t in = check_in(k, "items");
    VAL_FOR (items, item) {
        size_t at = check_at(k, i++);
        require(k, item, "key");
        require(k, item, "path");
        check_local_path(k, "path", VAL_STR(item, "path"));
        check_mode(k, item, "mode");
        check_out(k, at);
    }
    check_out(k, in);
}

static void check_secret(struct check *k, const val *source)
{
    require(k, source, "secretName");
    check_mode(k, source, "defaultMode");
    check_items(k, val_get(source, "items"));
}

static void check_config_map(struct check *k, const val *source)
{
    require(k, source, "name");
    check_mode(k, source, "defaultMode");
    check_items(k, val_get(source, "items"));
}

static void check_downward_file(struct check *k, const val *file)
{
    const val *field = val_get(file, "fieldRef"), *resource = val_get(file, "resourceFieldRef");
    require(k, file, "path");
    check_local_path(k, "path", VAL_STR(file, "path"));
    if (field) {
        size_t in = check_in(k, "fieldRef");
        check_field_ref(k, field, true);
        check_out(k, in);
        if (resource)
            check_invalid(k, "", STR("resource"),
                          "fieldRef and resourceFieldRef can not be specified simultaneously");
    } else if (resource) {
        size_t in = check_in(k, "resourceFieldRef");
        check_resource_field_ref(k, resource, true);
        check_out(k, in);
    } else {
        check_required(k, "", "one of fieldRef and resourceFieldRef is required");
    }
    check_mode(k, file, "mode");
}

static void check_downward(struct check *k, const val *source)
{
    check_mode(k, source, "defaultMode");
    VAL_FOR (val_get(source, "items"), file) {
        check_downward_file(k, file); /* upstream names no index here */
    }
}

static void check_host_path(struct check *k, const val *source)
{
    static const char *const types[] = {
        "",     "BlockDevice",  "CharDevice", "Directory", "DirectoryOrCreate",
        "File", "FileOrCreate", "Socket",     NULL};
    struct str path = VAL_STR(source, "path");
    if (path.n == 0) {
        check_required(k, "path", "");
        return;
    }
    if (has_backsteps(path))
        check_invalid(k, "path", path, "must not contain '..'");
    if (!check_in_list(VAL_STR(source, "type"), types))
        check_unsupported(k, "type", VAL_STR(source, "type"), types);
}

static void check_empty_dir(struct check *k, const val *source)
{
    struct quantity q;
    struct err err;
    struct str limit = VAL_STR(source, "sizeLimit");
    if (limit.n && quantity_parse(limit, &q, &err) == 0 && q.nano < 0)
        check_forbidden(k, "sizeLimit", "SizeLimit field must be a valid resource quantity");
}

static void check_claim(struct check *k, const val *source)
{
    require(k, source, "claimName");
}

static void check_nfs(struct check *k, const val *source)
{
    struct str path = VAL_STR(source, "path");
    require(k, source, "server");
    require(k, source, "path");
    if (path.n && path.p[0] != '/')
        check_invalid(k, "path", path, "must be an absolute path");
}

static void check_token(struct check *k, const val *token, size_t volume_at)
{
    int64_t seconds = VAL_INT(token, "expirationSeconds");
    if (seconds < 600)
        check_invalid_int(k, "expirationSeconds", seconds,
                          "may not specify a duration less than 10 minutes");
    if (seconds > (int64_t)1 << 32)
        check_invalid_int(k, "expirationSeconds", seconds,
                          "may not specify a duration larger than 2^32 seconds");
    /* upstream reports the path at the volume */
    struct str here = arena_dup(k->c->arena, buf_str(&k->path));
    check_out(k, volume_at);
    if (VAL_STR(token, "path").n == 0)
        check_required(k, "path", "");
    else
        check_local_path(k, "path", VAL_STR(token, "path"));
    buf_clear(&k->path);
    buf_put(&k->path, here);
}

static void check_projection(struct check *k, const val *source, size_t volume_at)
{
    static const char *const types[] = {
        "secret",        "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle",
        "podCertificate"};
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const val *projection = val_get(source, types[i]);
        if (val_is_null(projection))
            continue;
        count++;
        size_t in = check_in(k, types[i]);
        if (i < 2) {
            require(k, projection, "name");
            check_items(k, val_get(projection, "items"));
        } else if (i == 2) {
            check_downward(k, projection);
        } else if (i == 3) {
            check_token(k, projection, volume_at);
        }
        check_out(k, in);
    }
    if (count > 1)
        check_forbidden(k, "", "may not specify more than 1 volume type");
}

static void check_projected(struct check *k, const val *source)
{
    size_t here = k->path.n, i = 0;
    check_mode(k, source, "defaultMode");
    size_t in = check_in(k, "sources");
    VAL_FOR (val_get(source, "sources"), projection) {
        size_t at = check_at(k, i++);
        check_projection(k, projection, here);
        check_out(k, at);
    }
    check_out(k, in);
}

static const struct {
    const char *member;
    void (*check)(struct check *k, const val *source);
} sources[] = {
    {"emptyDir", check_empty_dir},   {"hostPath", check_host_path},
    {"secret", check_secret},        {"nfs", check_nfs},
    {"configMap", check_config_map}, {"persistentVolumeClaim", check_claim},
    {"downwardAPI", check_downward}, {"projected", check_projected},
};

static void check_volume(struct check *k, const val *volume)
{
    size_t count = 0;
    VAL_EACH (volume, key, source) {
        struct str type = val_str(key);
        if (str_is(type, "name") || val_is_null(source))
            continue;
        size_t in = check_in(k, arena_z(k->c->arena, type));
        if (count++ > 0) {
            check_forbidden(k, "", "may not specify more than 1 volume type");
        } else {
            for (size_t i = 0; i < ARRAY_LEN(sources); i++)
                if (str_is(type, sources[i].member))
                    sources[i].check(k, source);
        }
        check_out(k, in);
    }
    if (count == 0)
        check_required(k, "", "must specify a volume type");
}

void pod_volumes_validate(struct check *k, const val *spec)
{
    struct map names = {0};
    size_t i = 0;
    size_t in = check_in(k, "volumes");
    VAL_FOR (val_get(spec, "volumes"), volume) {
        struct str name = VAL_STR(volume, "name");
        size_t at = check_at(k, i++);
        check_volume(k, volume);
        if (name.n == 0)
            check_required(k, "name", "");
        else
            check_name(k, "name", NAME_LABEL, name);
        if (map_get(&names, name))
            check_duplicate(k, "name", name);
        map_set(&names, name, (void *)volume);
        check_out(k, at);
    }
    check_out(k, in);
    map_done(&names);
}
