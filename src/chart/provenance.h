/* provenance.h: whether a packed chart is what its author signed. NAME.tgz.prov is an OpenPGP
 * clear-signed message: Chart.yaml, a line of "...", and the SHA-256 of the file. Keyrings are
 * files of OpenPGP packets, as GnuPG's pubring.gpg was. The library behind it is loaded when it is
 * needed. */
#pragma once

#include "chart/chart.h"

struct verification {
    struct chart_strs signed_by; /* "Name <address>", each of the key's */
    struct str fingerprint;      /* in upper-case hexadecimal digits */
    struct str file_hash;        /* "sha256:…"; empty: nothing was verified */
};

/* Verifies path against path.prov. */
int provenance_verify(struct chart_ctx *cx, const char *path, const char *keyring,
                      struct verification *ret);
/* "Signed by: …" and so on, as commands print it. */
void provenance_put(const struct verification *v, struct buf *out);

/* Asks for the passphrase of the key that belongs to `name`. */
typedef int provenance_passphrase(struct chart_ctx *cx, void *arg, struct str name,
                                  struct str *ret);
/* Writes path.prov, signed with the key of the keyring whose user id is or contains `key`. */
int provenance_sign(struct chart_ctx *cx, const char *path, const char *keyring, const char *key,
                    provenance_passphrase *ask, void *arg);

/* --- parts of it --- */
/* The hash that a message has for a file. The message is what was signed. */
int provenance_find_hash(struct chart_ctx *cx, struct str message, struct str file,
                         struct str *ret);
