/* Required members and enums, in the words of apimachinery's field.Error. */
#include "doc/schema.h"
#include "doc/schema_internal.h"

struct validate {
    struct doc *d;
    val *causes;
    struct buf path;
};

static void validate_value(struct validate *c, const struct schema *s, const val *v);

static void add_cause(struct validate *c, const char *reason, struct str message)
{
    val *cause = val_new_obj(c->d);
    val_set_z(c->d, cause, "reason", reason);
    val_set_s(c->d, cause, "message", message);
    val_set_s(c->d, cause, "field", buf_str(&c->path));
    val_push(c->causes, cause);
}

static void check_enum(struct validate *c, const struct schema_field *f, const val *v)
{
    struct str now = val_str(v);
    for (const char *const *e = f->enums; *e; e++)
        if (str_is(now, *e))
            return;
    CLEANUP(buf_done) struct buf message = {0};
    buf_printf(&message, "Unsupported value: \"%.*s\": supported values: ", STR_ARG(now));
    for (const char *const *e = f->enums; *e; e++)
        buf_printf(&message, "%s\"%s\"", e == f->enums ? "" : ", ", *e);
    add_cause(c, "FieldValueNotSupported", buf_str(&message));
}

static void check_enums(struct validate *c, const struct schema_field *f, const val *v)
{
    if (val_is_str(v) && val_str(v).n) {
        check_enum(c, f, v);
        return;
    }
    size_t i = 0;
    VAL_FOR (v, item) {
        size_t back = path_push_index(&c->path, i++);
        if (val_is_str(item))
            check_enum(c, f, item);
        path_pop(&c->path, back);
    }
}

static void add_required(struct validate *c, const struct schema_field *f)
{
    CLEANUP(buf_done) struct buf message = {0};
    buf_puts(&message, "Required value");
    if (f->required_detail)
        buf_printf(&message, ": %s", f->required_detail);
    add_cause(c, "FieldValueRequired", buf_str(&message));
}

/* Whether a required member without content is an error. Numbers and booleans have a legal zero;
 * an object that Go always has is looked into instead. */
static bool is_missing(const struct schema_field *f, const val *v)
{
    switch (f->schema->type) {
    case SCHEMA_STRING:
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        return schema_is_zero(f, v);
    default:
        return f->pointer && val_is_null(v);
    }
}

static void validate_field(struct validate *c, const struct schema_field *f, const val *v)
{
    size_t back = path_push(&c->path, str_of(f->name));
    if (f->required && !f->may_be_empty && is_missing(f, v))
        add_required(c, f);
    else if (f->enums && !f->open_enum && !val_is_null(v))
        check_enums(c, f, v);
    bool always = f->required && f->schema->type == SCHEMA_OBJECT && !f->pointer;
    if (!val_is_null(v) || always)
        validate_value(c, f->schema, v);
    path_pop(&c->path, back);
}

static void validate_value(struct validate *c, const struct schema *s, const val *v)
{
    if (s->type == SCHEMA_OBJECT) {
        /* In the order of the type's declaration, embedded structs where they stand. */
        for (size_t i = 0; i < s->field_count; i++) {
            const struct schema_field *f = &s->fields[i];
            if (f->name[0] == '\0')
                validate_value(c, f->schema, v);
            else if (strcmp(f->name, "status") != 0 || c->path.n)
                validate_field(c, f, val_get(v, f->name));
        }
    } else if (s->type == SCHEMA_ARRAY) {
        size_t i = 0;
        VAL_FOR (v, item) {
            size_t back = path_push_index(&c->path, i++);
            validate_value(c, s->items, item);
            path_pop(&c->path, back);
        }
    } else if (s->type == SCHEMA_MAP) {
        VAL_EACH (v, key, member) {
            size_t back = c->path.n;
            buf_printf(&c->path, "[%.*s]", STR_ARG(val_str(key)));
            validate_value(c, s->items, member);
            path_pop(&c->path, back);
        }
    }
}

void schema_validate(const struct schema *s, const val *v, const char *path, struct doc *d,
                     val *causes)
{
    if (s->custom) /* the strategy of the kind does it, which knows the old object as well */
        return;
    struct validate c = {.d = d, .causes = causes};
    buf_puts(&c.path, path ? path : "");
    validate_value(&c, s, v);
    buf_done(&c.path);
}
