/* token.h: service-account tokens: JSON web tokens (RFC 7519) signed ES256 with the cluster's key.
 *
 * Claims are those of upstream's bound tokens (pkg/serviceaccount/claims.go): iss, sub, aud, exp,
 * iat, nbf, jti and "kubernetes.io" with namespace, serviceaccount, pod, secret, node. An issuer is
 * immutable; any thread. */
#pragma once

#include "api/strategy.h"
#include "api/authn/user.h"
#include "base/clock.h"

struct token_issuer;

#define TOKEN_ISSUER "https://kubernetes.default.svc.cluster.local"

/* key_pem: an EC P-256 private key. issuer: the iss claim and the default audience; NULL:
 * TOKEN_ISSUER. */
int token_issuer_new(struct str key_pem, const char *issuer, struct token_issuer **ret,
                     struct err *err);
void token_issuer_free(struct token_issuer *t);

/* post_sub of serviceaccounts/token: body is an authentication.k8s.io/v1 TokenRequest and gets its
 * status. */
int token_request(struct strategy_ctx *c, val *body, const val *account, struct err *err);

/* Signature, issuer, audience (any of audiences; none given: the issuer's own), times, and that
 * the account and the bound object still are there with the uid of the claims. Fills the user
 * (system:serviceaccount:NS:NAME and its groups, extra) from user->arena. -1 with 401; the message
 * tells why and is for the log only. ret_audiences (may be NULL) gets those that matched. */
int token_verify(struct strategy_ctx *c, struct str token, const struct str *audiences,
                 size_t audience_count, struct api_user *user, val **ret_audiences,
                 struct err *err);

/* Bodies of /.well-known/openid-configuration and /openid/v1/jwks. server_url as in struct pki. */
void token_openid_configuration(const struct token_issuer *t, struct str server_url, struct buf *b);
void token_jwks(const struct token_issuer *t, struct buf *b);
