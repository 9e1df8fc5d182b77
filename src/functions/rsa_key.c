#include "functions/rsa_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum {
    EXPONENT = 65537,
    SMALL_LIMIT = 1 << 14, /* candidates have no factor below */
    WINDOW = 4096,         /* odd numbers from a random one on; few are without a prime */
    ROUNDS = 5,            /* for an error below 2^-112 with primes of 1024 bits, fewer with more */
};

/* --- one prime --- */
struct search {
    int bits;
    BIGNUM *prime; /* what is found */
    bool found;
};

/* Is base no witness that n is composite? n - 1 = odd * 2^twos. */
static bool passes_round(const BIGNUM *n, const BIGNUM *minus_one, const BIGNUM *odd, int twos,
                         const BIGNUM *base, BIGNUM *z, BN_CTX *ctx, BN_MONT_CTX *mont)
{
    if (!BN_mod_exp_mont_consttime(z, base, odd, n, ctx, mont))
        return false;
    if (BN_is_one(z) || BN_cmp(z, minus_one) == 0)
        return true;
    for (int i = 1; i < twos; i++) {
        if (!BN_mod_sqr(z, z, n, ctx) || BN_is_one(z))
            return false;
        if (BN_cmp(z, minus_one) == 0)
            return true;
    }
    return false;
}

/* Miller-Rabin with random bases. */
static bool is_prime(const BIGNUM *n, BN_CTX *ctx, BN_MONT_CTX *mont)
{
    BN_CTX_start(ctx);
    BIGNUM *minus_one = BN_CTX_get(ctx), *odd = BN_CTX_get(ctx), *limit = BN_CTX_get(ctx);
    BIGNUM *base = BN_CTX_get(ctx), *z = BN_CTX_get(ctx);
    int twos = 1;
    bool passed = z && BN_sub(minus_one, n, BN_value_one()) &&
                  BN_sub(limit, minus_one, BN_value_one()) && BN_MONT_CTX_set(mont, n, ctx);
    while (passed && !BN_is_bit_set(minus_one, twos))
        twos++;
    passed = passed && BN_rshift(odd, minus_one, twos);
    for (int i = 0; i < ROUNDS && passed; i++) /* bases from 2 to n - 2 */
        passed = BN_priv_rand_range(base, limit) && BN_add_word(base, 1) &&
                 (!BN_is_one(base) || BN_add_word(base, 1)) &&
                 passes_round(n, minus_one, odd, twos, base, z, ctx, mont);
    BN_CTX_end(ctx);
    return passed;
}

/* Marks which of start + 2i have a small factor. */
static void sieve(const BIGNUM *start, bool composite[WINDOW])
{
    bool not_prime[SMALL_LIMIT] = {false};
    memset(composite, 0, WINDOW * sizeof(*composite));
    for (size_t p = 3; p < SMALL_LIMIT; p += 2) {
        if (not_prime[p])
            continue;
        for (size_t k = p * p; k < SMALL_LIMIT; k += 2 * p)
            not_prime[k] = true;
        size_t rest = BN_mod_word(start, p);
        size_t to_multiple = rest ? p - rest : 0; /* the next multiple, which must be an even way */
        size_t i = to_multiple % 2 ? (to_multiple + p) / 2 : to_multiple / 2;
        for (; i < WINDOW; i += p)
            composite[i] = true;
    }
}

/* The first prime of the window behind a random start whose predecessor has no factor EXPONENT. */
static bool search_window(struct search *s, BN_CTX *ctx, BN_MONT_CTX *mont)
{
    bool composite[WINDOW];
    if (!BN_priv_rand(s->prime, s->bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD))
        return false;
    sieve(s->prime, composite);
    size_t at = 0;
    for (size_t i = 0; i < WINDOW; i++) {
        if (composite[i])
            continue;
        if (!BN_add_word(s->prime, 2 * (i - at)))
            return false;
        at = i;
        if (BN_num_bits(s->prime) == s->bits && BN_mod_word(s->prime, EXPONENT) != 1 &&
            is_prime(s->prime, ctx, mont))
            return true;
    }
    return false;
}

static void *search_prime(void *arg)
{
    enum { MAX_WINDOWS = 100 }; /* that many without a prime mean that something else is wrong */
    struct search *s = arg;
    BN_CTX *ctx = BN_CTX_secure_new();
    BN_MONT_CTX *mont = BN_MONT_CTX_new();
    for (int i = 0; i < MAX_WINDOWS && ctx && mont && !s->found; i++)
        s->found = search_window(s, ctx, mont);
    BN_MONT_CTX_free(mont);
    BN_CTX_free(ctx);
    return NULL;
}

/* --- the key --- */
struct numbers {
    BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *q_inverse;
};

/* Two primes that are not close to each other, the larger one first. */
static bool find_primes(struct numbers *k, int bits, BN_CTX *ctx)
{
    struct search first = {bits / 2, k->p, false}, second = {bits / 2, k->q, false};
    pthread_t thread;
    bool two = pthread_create(&thread, NULL, search_prime, &second) == 0;
    search_prime(&first);
    if (two)
        pthread_join(thread, NULL);
    else
        search_prime(&second);
    if (!first.found || !second.found)
        return false;
    if (BN_cmp(k->p, k->q) < 0)
        BN_swap(k->p, k->q);
    BN_CTX_start(ctx);
    BIGNUM *distance = BN_CTX_get(ctx);
    bool apart = distance && BN_sub(distance, k->p, k->q) && BN_num_bits(distance) > bits / 2 - 100;
    BN_CTX_end(ctx);
    return apart;
}

static bool derive(struct numbers *k, BN_CTX *ctx)
{
    BN_CTX_start(ctx);
    BIGNUM *p1 = BN_CTX_get(ctx), *q1 = BN_CTX_get(ctx), *phi = BN_CTX_get(ctx);
    bool done = phi && BN_set_word(k->e, EXPONENT) && BN_mul(k->n, k->p, k->q, ctx) &&
                BN_sub(p1, k->p, BN_value_one()) && BN_sub(q1, k->q, BN_value_one()) &&
                BN_mul(phi, p1, q1, ctx) && BN_mod_inverse(k->d, k->e, phi, ctx) &&
                BN_mod(k->dp, k->d, p1, ctx) && BN_mod(k->dq, k->d, q1, ctx) &&
                BN_mod_inverse(k->q_inverse, k->q, k->p, ctx);
    BN_CTX_end(ctx);
    return done;
}

static EVP_PKEY *to_key(const struct numbers *k)
{
    const struct {
        const char *name;
        const BIGNUM *number;
    } members[] = {
        {OSSL_PKEY_PARAM_RSA_N, k->n},          {OSSL_PKEY_PARAM_RSA_E, k->e},
        {OSSL_PKEY_PARAM_RSA_D, k->d},          {OSSL_PKEY_PARAM_RSA_FACTOR1, k->p},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, k->q},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, k->dp},
        {OSSL_PKEY_PARAM_RSA_EXPONENT2, k->dq}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, k->q_inverse},
    };
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool done = builder != NULL;
    for (size_t i = 0; i < sizeof(members) / sizeof(*members) && done; i++)
        done = OSSL_PARAM_BLD_push_BN(builder, members[i].name, members[i].number);
    OSSL_PARAM *parameters = done ? OSSL_PARAM_BLD_to_param(builder) : NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (parameters && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

EVP_PKEY *rsa_key_new(int bits)
{
    EVP_PKEY *key = NULL;
    BN_CTX *ctx = BN_CTX_secure_new();
    if (!ctx)
        return NULL;
    BN_CTX_start(ctx);
    struct numbers k = {BN_CTX_get(ctx), BN_CTX_get(ctx), BN_CTX_get(ctx), BN_CTX_get(ctx),
                        BN_CTX_get(ctx), BN_CTX_get(ctx), BN_CTX_get(ctx), BN_CTX_get(ctx)};
    if (k.q_inverse && find_primes(&k, bits, ctx) && derive(&k, ctx))
        key = to_key(&k);
    BN_CTX_end(ctx);
    BN_CTX_free(ctx);
    return key;
}
