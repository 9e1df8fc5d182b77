/* rsa_key.h: new RSA keys for templates.
 *
 * OpenSSL's own generator proves far more than FIPS 186-5 asks for (64 rounds of Miller-Rabin) and
 * takes many common divisors in constant time; a chart with ten certificates waits a second for it.
 * Here a sieve leaves few candidates, these get the rounds of FIPS 186-5, table B.1, and both
 * primes are searched for at once. The numbers come from OpenSSL's generator for secrets. */
#pragma once

#include <openssl/types.h>

/* A key with the public exponent 65537; bits is even, 1024 at least. NULL: no memory or no random
 * numbers. Free with EVP_PKEY_free. */
EVP_PKEY *rsa_key_new(int bits);
