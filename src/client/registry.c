#include "client/registry.h"

#include <ctype.h>
#include <openssl/evp.h>

#include "doc/val.h"
#include "net/url.h"

enum { MAX_TOKEN_ANSWER = 128 * 1024, MAX_ERROR = 8 * 1024, TOKEN_MS = 60000, MAX_SCOPE = 4096 };

void registry_session_init(struct registry_session *s, const struct registry_config *config)
{
    *s = (struct registry_session){.config = *config};
}

void registry_session_done(struct registry_session *s)
{
    buf_done(&s->authorization);
}

/* --- challenges --- */

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static struct str take_token(struct str *rest)
{
    size_t n = 0;
    while (n < rest->n && is_token_char(rest->p[n]))
        n++;
    struct str token = str_head(*rest, n);
    *rest = str_from(*rest, n);
    return token;
}

static void skip_blanks(struct str *rest)
{
    while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\t'))
        *rest = str_from(*rest, 1);
}

/* "…" with \" and \\; false: it does not end. */
static bool take_quoted(struct arena *a, struct str *rest, struct str *ret)
{
    char *out = arena_alloc(a, rest->n);
    size_t n = 0;
    for (size_t i = 1; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == '"') {
            *ret = (struct str){out, n};
            *rest = str_from(*rest, i + 1);
            return true;
        }
        if (c == '\\' && i + 1 < rest->n)
            c = rest->p[++i];
        out[n++] = c;
    }
    return false;
}

struct registry_challenge registry_challenge_parse(struct arena *a, struct str header)
{
    struct registry_challenge c = {0};
    struct str rest = str_trim(header), scheme = take_token(&rest);
    if (str_eq_nocase(scheme, STR("basic")))
        c.scheme = CHALLENGE_BASIC;
    if (!str_eq_nocase(scheme, STR("bearer")))
        return c;
    c.scheme = CHALLENGE_BEARER;
    for (;;) {
        struct str value;
        skip_blanks(&rest);
        struct str key = take_token(&rest);
        skip_blanks(&rest);
        if (!key.n || !str_starts(rest, STR("=")))
            return c;
        rest = str_from(rest, 1);
        skip_blanks(&rest);
        if (!str_starts(rest, STR("\"")))
            value = arena_dup(a, take_token(&rest));
        else if (!take_quoted(a, &rest, &value))
            return c;
        if (str_eq_nocase(key, STR("realm")))
            c.realm = value;
        else if (str_eq_nocase(key, STR("service")))
            c.service = value;
        else if (str_eq_nocase(key, STR("scope")))
            c.scope = value;
        skip_blanks(&rest);
        if (!str_starts(rest, STR(",")))
            return c;
        rest = str_from(rest, 1);
    }
}

/* --- tokens --- */

static struct str basic(struct arena *a, const struct registry_auth *auth)
{
    struct str both =
        arena_printf(a, "%.*s:%.*s", STR_ARG(auth->username), STR_ARG(auth->password));
    char *coded = arena_alloc(a, both.n / 3 * 4 + 8);
    EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)both.p, (int)both.n);
    return arena_printf(a, "Basic %s", coded);
}

static bool has_word(struct str words, struct str word)
{
    struct str one;
    while (str_next(&words, ' ', &one))
        if (str_eq(one, word))
            return true;
    return false;
}

/* What a challenge asks for and what the session is for. */
static struct str all_scopes(struct arena *a, struct str own, struct str asked)
{
    if (!own.n || has_word(asked, own))
        return str_head(asked, MAX_SCOPE);
    return asked.n ? arena_printf(a, "%.*s %.*s", STR_ARG(own), STR_ARG(str_head(asked, MAX_SCOPE)))
                   : own;
}

static void put_field(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, "%s%s=", b->n ? "&" : "", name);
    url_encode(b, value);
}

static int read_token(struct registry_session *s, const struct fetch_request *r,
                      const struct fetch_answer *answer, struct err *err)
{
    struct doc d = {0};
    val *root = NULL;
    if (answer->status != 200)
        return registry_fail(r, answer, err);
    int result = doc_parse_json(&d, buf_str(&answer->body), &root, err);
    struct str token = VAL_STR(root, "access_token");
    if (!token.n)
        token = VAL_STR(root, "token");
    const char *method = r->method ? r->method : "GET";
    if (result < 0)
        err_prefix(err, "%s \"%.*s\": failed to decode response", method, STR_ARG(r->url));
    else if (!token.n)
        result = err_internal(err, "%s \"%.*s\": empty token returned", method, STR_ARG(r->url));
    for (size_t i = 0; result == 0 && i < token.n; i++)
        if (!isgraph((unsigned char)token.p[i]))
            result = err_internal(err, "%s \"%.*s\": bad token", method, STR_ARG(r->url));
    if (result == 0) {
        buf_clear(&s->authorization);
        buf_printf(&s->authorization, "Bearer %.*s", STR_ARG(token));
    }
    doc_done(&d);
    return result;
}

/* Docker's token endpoint: GET with the password, if there is one. */
static void plain_token_request(struct arena *a, const struct registry_challenge *c,
                                struct str scopes, const struct registry_auth *auth,
                                struct fetch_request *r)
{
    struct buf query = {0};
    struct str scope;
    if (c->service.n)
        put_field(&query, "service", c->service);
    while (str_next(&scopes, ' ', &scope))
        if (scope.n)
            put_field(&query, "scope", scope);
    r->url = arena_printf(a, "%.*s%s%s", STR_ARG(c->realm),
                          !query.n                            ? ""
                          : str_find_char(c->realm, '?') >= 0 ? "&"
                                                              : "?",
                          buf_z(&query));
    if (auth->username.n || auth->password.n)
        r->authorization = basic(a, auth);
    buf_done(&query);
}

static void oauth2_request(struct arena *a, const struct registry_challenge *c, struct str scopes,
                           const struct registry_auth *auth, struct fetch_request *r)
{
    static const struct http_header form[] = {
        {STR_INIT("Content-Type"), STR_INIT("application/x-www-form-urlencoded")}};
    struct buf body = {0};
    if (auth->identity_token.n) {
        put_field(&body, "grant_type", STR("refresh_token"));
        put_field(&body, "refresh_token", auth->identity_token);
    } else {
        put_field(&body, "grant_type", STR("password"));
        put_field(&body, "username", auth->username);
        put_field(&body, "password", auth->password);
    }
    put_field(&body, "service", c->service);
    put_field(&body, "client_id", STR("tutti"));
    if (scopes.n)
        put_field(&body, "scope", scopes);
    r->method = "POST";
    r->url = c->realm;
    r->headers = form;
    r->header_count = 1;
    r->body = arena_dup(a, buf_str(&body));
    buf_done(&body);
}

static int get_token(struct registry_session *s, struct arena *a,
                     const struct registry_challenge *c, struct str registry, struct err *err)
{
    const struct registry_auth *auth = &s->config.auth;
    struct url u;
    if (auth->access_token.n) {
        buf_printf(&s->authorization, "Bearer %.*s", STR_ARG(auth->access_token));
        return 0;
    }
    if (!url_split(c->realm, &u) || (!str_is(u.scheme, "http") && !str_is(u.scheme, "https")))
        return err_set(err, 401, "Unauthorized", "invalid realm \"%.*s\"", STR_ARG(c->realm));
    if (str_starts(registry, STR("https:")) && !str_is(u.scheme, "https"))
        return err_set(err, 401, "Unauthorized",
                       "the realm \"%.*s\" is not https, as the registry is", STR_ARG(c->realm));
    struct fetch_request r = {.max_body = MAX_TOKEN_ANSWER, .timeout_ms = TOKEN_MS};
    struct fetch_answer answer = {0};
    struct str scopes = all_scopes(a, s->config.scope, c->scope);
    bool password = auth->username.n && auth->password.n;
    if (auth->identity_token.n || (s->config.oauth2 && password))
        oauth2_request(a, c, scopes, auth, &r);
    else
        plain_token_request(a, c, scopes, auth, &r);
    int result = fetch(s->config.fetcher, &r, &answer, err);
    if (result == 0)
        result = read_token(s, &r, &answer, err);
    fetch_answer_done(&answer);
    return result;
}

/* Finds out what the registry wants; 1: nothing that we have. */
static int answer_challenge(struct registry_session *s, const struct fetch_request *r,
                            const struct fetch_answer *refused, struct err *err)
{
    struct arena a = {0};
    struct registry_challenge c =
        registry_challenge_parse(&a, fetch_header(refused, "www-authenticate"));
    const struct registry_auth *auth = &s->config.auth;
    int result = 1;
    buf_clear(&s->authorization);
    if (c.scheme == CHALLENGE_BASIC && auth->username.n && auth->password.n) {
        buf_put(&s->authorization, basic(&a, auth));
        result = 0;
    } else if (c.scheme == CHALLENGE_BASIC) {
        result = err_set(err, 401, "Unauthorized", "basic credential not found");
    } else if (c.scheme == CHALLENGE_BEARER) {
        result = get_token(s, &a, &c, r->url, err);
    }
    if (result < 0)
        err_prefix(err, "%s \"%.*s\"", r->method ? r->method : "GET", STR_ARG(r->url));
    arena_done(&a);
    return result;
}

static bool same_host(struct str x, struct str y)
{
    struct url a, b;
    return url_split(x, &a) && url_split(y, &b) && str_eq(a.authority, b.authority);
}

int registry_fetch(struct registry_session *s, const struct fetch_request *r,
                   struct fetch_answer *ret, struct err *err)
{
    struct fetch_request own = *r;
    own.authorization = buf_str(&s->authorization);
    if (fetch(s->config.fetcher, &own, ret, err) < 0)
        return -1;
    /* A storage server behind a redirect does not ask in the registry's name. */
    if (ret->status != 401 || !same_host(r->url, ret->url))
        return 0;
    int result = answer_challenge(s, r, ret, err);
    if (result != 0)
        return result < 0 ? -1 : 0;
    fetch_answer_done(ret);
    own.authorization = buf_str(&s->authorization);
    return fetch(s->config.fetcher, &own, ret, err);
}

/* --- errors --- */

/* "MANIFEST_UNKNOWN" and its message: "manifest unknown: …". */
static void put_error(struct buf *b, const val *error)
{
    struct str code = VAL_STR(error, "code"), message = VAL_STR(error, "message");
    const val *detail = val_get(error, "detail");
    buf_puts(b, b->n ? "; " : "");
    for (size_t i = 0; i < code.n; i++)
        buf_putc(b, code.p[i] == '_' ? ' ' : (char)tolower((unsigned char)code.p[i]));
    if (message.n)
        buf_printf(b, ": %.*s", STR_ARG(message));
    if (message.n && val_is_str(detail))
        buf_printf(b, ": %.*s", STR_ARG(val_str(detail)));
}

int registry_fail(const struct fetch_request *r, const struct fetch_answer *answer, struct err *err)
{
    struct doc d = {0};
    struct buf text = {0};
    val *root;
    if (doc_parse_json(&d, str_head(buf_str(&answer->body), MAX_ERROR), &root, NULL) == 0)
        VAL_FOR (val_get(root, "errors"), error)
            put_error(&text, error);
    if (!text.n)
        buf_puts(&text, http_reason(answer->status));
    err_set(err, answer->status, answer->status == 404 ? "NotFound" : "Unauthorized",
            "%s \"%.*s\": response status code %d: %s", r->method ? r->method : "GET",
            STR_ARG(answer->url), answer->status, buf_z(&text));
    buf_done(&text);
    doc_done(&d);
    return -1;
}
