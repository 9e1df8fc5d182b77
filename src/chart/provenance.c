#include "chart/provenance.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "chart/package.h"
#include "chart/repo.h"
#include "chart/rnp.h"
#include "template/gobase.h"

enum { MAX_KEYRING = 64 * 1024 * 1024, MAX_MESSAGE = 1024 * 1024, MAX_UIDS = 64 };

/* --- messages --- */
int provenance_find_hash(struct chart_ctx *cx, struct str message, struct str file, struct str *ret)
{
    static const struct str separator = STR_INIT("\n...\n");
    ssize_t at = str_find(message, separator);
    struct doc d;
    struct err err;
    val *root;
    int status = 0;
    if (at < 0)
        return chart_fail(cx, "message block must have at least two parts");
    struct str sums = str_from(message, (size_t)at + separator.n);
    ssize_t end = str_find(sums, separator);
    doc_init(&d);
    if (doc_parse_yaml(&d, end < 0 ? sums : str_head(sums, (size_t)end), &root, &err) != 0)
        status = chart_fail(cx, "%s", err.message);
    const val *hash = status == 0 ? val_get_str(val_get(root, "files"), file) : NULL;
    *ret = arena_dup(cx->arena, val_str(hash));
    if (status == 0 && !val_is_str(hash))
        status = chart_fail(cx, "provenance does not contain a SHA for a file named \"%.*s\"",
                            STR_ARG(file));
    doc_done(&d);
    return status;
}

/* What is signed for a packed chart. */
static int make_message(struct chart_ctx *cx, const char *path, struct str data, struct buf *ret)
{
    struct chart *c;
    struct doc d;
    if (chart_load(cx, path, &c) != 0)
        return -1;
    buf_put(ret, chart_meta_yaml(cx, &c->meta));
    buf_puts(ret, "\n...\n");
    doc_init(&d);
    val *root = val_new_obj(&d), *files = val_set(&d, root, "files", val_new_obj(&d));
    val_set_str(&d, files, path_base(str_of(path)),
                val_new_strf(&d, "sha256:%s", chart_digest(cx, data).p));
    val_write_yaml(root, ret);
    doc_done(&d);
    return 0;
}

/* RFC 9580 section 6.1.1. */
static uint32_t crc24(struct str bytes)
{
    uint32_t crc = 0xb704ce;
    for (size_t i = 0; i < bytes.n; i++) {
        crc ^= (uint32_t)(unsigned char)bytes.p[i] << 16;
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc & 0x800000 ? 0x1864cfb : 0);
    }
    return crc & 0xffffff;
}

/* Go's openpgp writes no checksum behind a signature; librnp needs one to see where it ends. */
static struct str with_checksum(struct chart_ctx *cx, struct str text)
{
    static const struct str begin = STR_INIT("-----BEGIN PGP SIGNATURE-----"),
                            end = STR_INIT("-----END PGP SIGNATURE-----");
    struct buf coded = {0}, raw = {0}, out = {0};
    ssize_t from = str_find(text, begin), to = str_find(text, end);
    struct str line, rest, ret = text;
    size_t at;
    if (from < 0 || to < from)
        return text;
    rest = str_head(str_from(text, (size_t)from + begin.n), (size_t)(to - from) - begin.n);
    bool checked = false;
    while (str_next(&rest, '\n', &line)) {
        line = str_trim(line);
        checked |= str_starts(line, STR("="));
        if (str_find_char(line, ':') < 0) /* no header */
            buf_put(&coded, line);
    }
    if (!checked && gobase64_decode(&raw, buf_str(&coded), &at) == 0) {
        uint32_t crc = crc24(buf_str(&raw));
        const char sum[3] = {(char)(crc >> 16), (char)(crc >> 8), (char)crc};
        struct str head = str_head(text, (size_t)to);
        buf_printf(&out, "%.*s%s=", STR_ARG(head), str_ends(head, STR("\n")) ? "" : "\n");
        gobase64_write(&out, (struct str){sum, sizeof(sum)});
        buf_printf(&out, "\n%.*s\n", STR_ARG(str_from(text, (size_t)to)));
        ret = arena_dup(cx->arena, buf_str(&out));
    }
    buf_done(&coded);
    buf_done(&raw);
    buf_done(&out);
    return ret;
}

/* --- keyrings --- */
static int read_file(struct chart_ctx *cx, const char *path, size_t max, struct str *ret)
{
    struct buf b = {0};
    struct err err;
    int status = file_read(path, max, &b, &err);
    *ret = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return status == 0 ? 0 : chart_fail_file(cx, &err);
}

static int fail_rnp(struct chart_ctx *cx, const char *what, rnp_result_t code)
{
    const char *text = rnp()->result_to_string(code);
    return chart_fail(cx, "openpgp: %s: %c%s", what, tolower((unsigned char)text[0]), text + 1);
}

static rnp_input_t input_of(struct str bytes)
{
    rnp_input_t input = NULL;
    rnp()->input_from_memory(&input, (const uint8_t *)(bytes.p ? bytes.p : ""), bytes.n, false);
    return input;
}

static int keyring_open(struct chart_ctx *cx, const char *path, rnp_ffi_t *ret)
{
    struct str data;
    if (read_file(cx, path, MAX_KEYRING, &data) != 0 || rnp_load(cx) != 0)
        return -1;
    rnp_result_t code = rnp()->ffi_create(ret, "GPG", "GPG");
    if (code != RNP_SUCCESS)
        return fail_rnp(cx, "keyring", code);
    rnp_input_t input = input_of(data);
    if (data.n)
        code = rnp()->load_keys(*ret, "GPG", input,
                                RNP_LOAD_SAVE_PUBLIC_KEYS | RNP_LOAD_SAVE_SECRET_KEYS);
    rnp()->input_destroy(input);
    if (code == RNP_SUCCESS)
        return 0;
    rnp()->ffi_destroy(*ret);
    return fail_rnp(cx, "keyring", code);
}

static struct str own_text(struct chart_ctx *cx, char *text)
{
    struct str copy = arena_dup(cx->arena, str_of(text));
    rnp()->buffer_destroy(text);
    return copy;
}

static struct chart_strs user_ids(struct chart_ctx *cx, rnp_key_handle_t key)
{
    size_t count = 0;
    struct chart_strs ids = {0};
    rnp()->key_get_uid_count(key, &count);
    count = count < MAX_UIDS ? count : MAX_UIDS;
    ids.items = arena_alloc(cx->arena, (count + 1) * sizeof(*ids.items));
    for (size_t i = 0; i < count; i++) {
        char *uid = NULL;
        if (rnp()->key_get_uid_at(key, i, &uid) == RNP_SUCCESS)
            ids.items[ids.n++] = own_text(cx, uid);
    }
    return ids;
}

/* --- verifying --- */
/* The library tells stderr, whatever it is asked to, of what becomes an error here. */
static rnp_result_t execute_silently(rnp_op_verify_t op)
{
    CLEANUP(fd_closep) int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    CLEANUP(fd_closep) int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (kept >= 0 && nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
    rnp_result_t code = rnp()->op_verify_execute(op);
    if (kept >= 0 && nowhere >= 0)
        dup2(kept, STDERR_FILENO);
    return code;
}

/* Who signed: the primary key of the one that did. */
static int describe_signer(struct chart_ctx *cx, rnp_ffi_t ring,
                           rnp_op_verify_signature_t signature, struct verification *ret)
{
    rnp_key_handle_t key = NULL, primary = NULL;
    char *print = NULL;
    rnp_result_t code = rnp()->op_verify_signature_get_key(signature, &key);
    if (code != RNP_SUCCESS || !key)
        return chart_fail(cx, "openpgp: signature made by unknown entity");
    if (rnp()->key_get_primary_fprint(key, &print) != RNP_SUCCESS) /* is one itself */
        rnp()->key_get_fprint(key, &print);
    ret->fingerprint = own_text(cx, print);
    rnp()->locate_key(ring, "fingerprint", ret->fingerprint.p, &primary);
    ret->signed_by = user_ids(cx, primary ? primary : key);
    rnp()->key_handle_destroy(key);
    if (primary)
        rnp()->key_handle_destroy(primary);
    return 0;
}

/* Says why the first signature is wrong. */
static int fail_signature(struct chart_ctx *cx, rnp_op_verify_t op, rnp_result_t why)
{
    rnp_op_verify_signature_t signature;
    rnp_key_handle_t key = NULL;
    char *alg = NULL;
    if (why == RNP_ERROR_KEY_NOT_FOUND)
        return chart_fail(cx, "openpgp: signature made by unknown entity");
    if (why == RNP_ERROR_SIGNATURE_EXPIRED)
        return chart_fail(cx, "openpgp: signature expired");
    if (why != RNP_ERROR_SIGNATURE_INVALID ||
        rnp()->op_verify_get_signature_at(op, 0, &signature) != RNP_SUCCESS ||
        rnp()->op_verify_signature_get_key(signature, &key) != RNP_SUCCESS || !key)
        return fail_rnp(cx, "invalid signature", why);
    rnp()->key_get_alg(key, &alg);
    rnp()->key_handle_destroy(key);
    struct str name = own_text(cx, alg);
    return chart_fail(cx, "openpgp: invalid signature: %.*s verification failure",
                      STR_ARG(str_is(name, "EDDSA") ? STR("EdDSA") : name));
}

static int check_signature(struct chart_ctx *cx, rnp_ffi_t ring, rnp_op_verify_t op,
                           rnp_result_t executed, struct verification *ret)
{
    size_t count = 0;
    rnp_op_verify_signature_t signature;
    if (executed == RNP_ERROR_BAD_FORMAT || executed == RNP_ERROR_BAD_PARAMETERS)
        return chart_fail(cx, "failed to decode signature: signature block not found");
    if (rnp()->op_verify_get_signature_count(op, &count) != RNP_SUCCESS || count == 0)
        return chart_fail(cx, "failed to decode signature: signature block not found");
    /* Of several signatures one by a known key counts, as in Go's openpgp. */
    rnp_result_t last = RNP_ERROR_KEY_NOT_FOUND;
    for (size_t i = 0; i < count; i++) {
        if (rnp()->op_verify_get_signature_at(op, i, &signature) != RNP_SUCCESS)
            continue;
        rnp_result_t status = rnp()->op_verify_signature_get_status(signature);
        if (status == RNP_SUCCESS)
            return describe_signer(cx, ring, signature, ret);
        last = last == RNP_ERROR_KEY_NOT_FOUND ? status : last;
    }
    return fail_signature(cx, op, last);
}

/* The signed text of a provenance file, once its signature is found right. */
static int verify_message(struct chart_ctx *cx, const char *keyring, struct str text,
                          struct str *ret_message, struct verification *ret)
{
    rnp_ffi_t ring;
    rnp_op_verify_t op = NULL;
    rnp_output_t output = NULL;
    uint8_t *bytes;
    size_t n;
    if (keyring_open(cx, keyring, &ring) != 0)
        return chart_wrap(cx, "failed to load keyring");
    rnp_input_t input = input_of(with_checksum(cx, text));
    rnp()->output_to_memory(&output, MAX_MESSAGE);
    rnp_result_t code = rnp()->op_verify_create(&op, ring, input, output);
    int status = code == RNP_SUCCESS ? 0 : fail_rnp(cx, "verify", code);
    if (status == 0)
        status = check_signature(cx, ring, op, execute_silently(op), ret);
    if (status == 0 && rnp()->output_memory_get_buf(output, &bytes, &n, false) == RNP_SUCCESS)
        *ret_message = arena_dup(cx->arena, (struct str){(const char *)bytes, n});
    if (op)
        rnp()->op_verify_destroy(op);
    rnp()->output_destroy(output);
    rnp()->input_destroy(input);
    rnp()->ffi_destroy(ring);
    return status;
}

static int fail_stat(struct chart_ctx *cx, const char *path)
{
    const char *why = strerror(errno);
    return chart_fail(cx, "stat %s: %c%s", path, tolower((unsigned char)why[0]), why + 1);
}

int provenance_verify(struct chart_ctx *cx, const char *path, const char *keyring,
                      struct verification *ret)
{
    struct stat st;
    struct str text, message = {0}, data, want;
    const char *signature = arena_printf(cx->arena, "%s.prov", path).p;
    struct str file = path_base(str_of(path));
    *ret = (struct verification){0};
    if (stat(path, &st) != 0)
        return fail_stat(cx, path);
    if (S_ISDIR(st.st_mode))
        return chart_fail(cx, "unpacked charts cannot be verified");
    if (!str_eq_nocase(path_ext(str_of(path)), STR(".tgz")))
        return chart_fail(cx, "chart must be a tgz file");
    if (stat(signature, &st) != 0) {
        fail_stat(cx, signature);
        return chart_wrap(cx, "could not load provenance file %s", signature);
    }
    if (S_ISDIR(st.st_mode))
        return chart_fail(cx, "%s cannot be a directory", signature);
    if (read_file(cx, signature, MAX_MESSAGE, &text) != 0)
        return chart_wrap(cx, "failed to decode signature");
    if (verify_message(cx, keyring, text, &message, ret) != 0 ||
        read_file(cx, path, CHART_MAX_TOTAL, &data) != 0 ||
        provenance_find_hash(cx, message, file, &want) != 0)
        return -1;
    struct str have = arena_printf(cx->arena, "sha256:%s", chart_digest(cx, data).p);
    if (!str_eq(have, want))
        return chart_fail(cx, "sha256 sum does not match for %.*s: \"%.*s\" != \"%.*s\"",
                          STR_ARG(file), STR_ARG(want), STR_ARG(have));
    ret->file_hash = have;
    return 0;
}

void provenance_put(const struct verification *v, struct buf *out)
{
    for (size_t i = 0; i < v->signed_by.n; i++)
        buf_printf(out, "Signed by: %.*s\n", STR_ARG(v->signed_by.items[i]));
    buf_printf(out, "Using Key With Fingerprint: %.*s\n", STR_ARG(v->fingerprint));
    buf_printf(out, "Chart Hash Verified: %.*s\n", STR_ARG(v->file_hash));
}

/* --- signing --- */
enum match { MATCH_NONE, MATCH_PART, MATCH_WHOLE };

static enum match match_key(struct chart_ctx *cx, rnp_key_handle_t key, struct str id)
{
    struct chart_strs ids = user_ids(cx, key);
    enum match best = MATCH_NONE;
    for (size_t i = 0; i < ids.n; i++) {
        if (str_eq(ids.items[i], id))
            return MATCH_WHOLE;
        if (str_find(ids.items[i], id) >= 0)
            best = MATCH_PART;
    }
    return best;
}

/* The key whose user id is the given one, or else the only one that contains it. */
static int find_key(struct chart_ctx *cx, rnp_ffi_t ring, const char *id, rnp_key_handle_t *ret)
{
    rnp_identifier_iterator_t it = NULL;
    const char *print;
    bool vague = false, whole = false;
    *ret = NULL;
    rnp()->identifier_iterator_create(ring, &it, "fingerprint");
    while (!whole && rnp()->identifier_iterator_next(it, &print) == RNP_SUCCESS && print) {
        rnp_key_handle_t key = NULL;
        bool primary = false;
        if (rnp()->locate_key(ring, "fingerprint", print, &key) != RNP_SUCCESS || !key)
            continue;
        rnp()->key_is_primary(key, &primary);
        enum match m = primary ? match_key(cx, key, str_of(id)) : MATCH_NONE;
        whole = m == MATCH_WHOLE;
        vague = vague || (m == MATCH_PART && *ret);
        rnp_key_handle_t unused = m == MATCH_NONE ? key : *ret;
        if (m != MATCH_NONE)
            *ret = key;
        if (unused)
            rnp()->key_handle_destroy(unused);
    }
    rnp()->identifier_iterator_destroy(it);
    if (vague && !whole) {
        rnp()->key_handle_destroy(*ret);
        *ret = NULL;
        return chart_fail(cx, "more than one key contain the id \"%s\"", id);
    }
    return *ret ? 0 : chart_fail(cx, "private key not found");
}

static int unlock_key(struct chart_ctx *cx, rnp_key_handle_t key, provenance_passphrase *ask,
                      void *arg)
{
    bool secret = false, locked = false;
    struct str passphrase;
    rnp()->key_have_secret(key, &secret);
    if (!secret)
        return chart_fail(cx, "provided key is not a private key. Try providing a keyring with "
                              "secret keys");
    rnp()->key_is_locked(key, &locked);
    if (!locked)
        return 0;
    struct chart_strs ids = user_ids(cx, key);
    if (ask(cx, arg, ids.n ? ids.items[0] : STR("Unknown"), &passphrase) != 0)
        return -1;
    if (rnp()->key_unlock(key, arena_z(cx->arena, passphrase)) != RNP_SUCCESS)
        return chart_fail(cx, "openpgp: invalid data: private key checksum failure");
    return 0;
}

static int clear_sign(struct chart_ctx *cx, rnp_ffi_t ring, rnp_key_handle_t key,
                      struct str message, struct str *ret)
{
    rnp_op_sign_t op = NULL;
    rnp_output_t output = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0;
    rnp_input_t input = input_of(message);
    rnp()->output_to_memory(&output, MAX_MESSAGE);
    rnp_result_t code = rnp()->op_sign_cleartext_create(&op, ring, input, output);
    if (code == RNP_SUCCESS)
        code = rnp()->op_sign_set_hash(op, "SHA512");
    if (code == RNP_SUCCESS)
        code = rnp()->op_sign_add_signature(op, key, NULL);
    if (code == RNP_SUCCESS)
        code = rnp()->op_sign_execute(op);
    if (code == RNP_SUCCESS)
        code = rnp()->output_memory_get_buf(output, &bytes, &n, false);
    *ret = arena_dup(cx->arena, (struct str){(const char *)bytes, n});
    if (op)
        rnp()->op_sign_destroy(op);
    rnp()->output_destroy(output);
    rnp()->input_destroy(input);
    return code == RNP_SUCCESS ? 0 : fail_rnp(cx, "sign", code);
}

int provenance_sign(struct chart_ctx *cx, const char *path, const char *keyring, const char *id,
                    provenance_passphrase *ask, void *arg)
{
    rnp_ffi_t ring;
    rnp_key_handle_t key = NULL;
    struct str data, text = {0};
    struct buf message = {0};
    struct err err;
    if (keyring_open(cx, keyring, &ring) != 0)
        return -1;
    int status = find_key(cx, ring, id, &key);
    if (status == 0)
        status = unlock_key(cx, key, ask, arg);
    if (status == 0)
        status = read_file(cx, path, CHART_MAX_TOTAL, &data);
    if (status == 0)
        status = make_message(cx, path, data, &message);
    if (status == 0)
        status = clear_sign(cx, ring, key, buf_str(&message), &text);
    if (status == 0 &&
        file_write(arena_printf(cx->arena, "%s.prov", path).p, text, 0644, &err) != 0)
        status = chart_fail_file(cx, &err);
    if (key)
        rnp()->key_handle_destroy(key);
    rnp()->ffi_destroy(ring);
    buf_done(&message);
    return status;
}
