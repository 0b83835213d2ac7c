/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nemec, Sys, Svenda, Klinec, Matyas: "The Return of Coppersmith's Attack" (CCS 2017), §2. The generator's
 * primes were k * M + (65537^a mod M), M the product of the first 126 primes for keys of 1984 bits or more.
 * So the modulus is a power of 65537 modulo each of these 126, which does not happen by chance.
 */
#include "crypto/roca.h"

enum { GENERATOR = 65537, PRIME_126TH = 701 };

static bool is_prime(unsigned int odd)
{
    for (unsigned int divisor = 3; divisor * divisor <= odd; divisor += 2) {
        if (odd % divisor == 0) {
            return false;
        }
    }
    return true;
}

static bool is_power_of_generator(unsigned int residue, unsigned int prime)
{
    unsigned int power = 1;

    do {
        if (power == residue) {
            return true;
        }
        power = power * (GENERATOR % prime) % prime;
    } while (power != 1);
    return false;
}

bool roca_is_weak(const BIGNUM *modulus)
{
    /* An odd modulus is a power of 65537 modulo 2 anyway. */
    for (unsigned int odd = 3; odd <= PRIME_126TH; odd += 2) {
        if (is_prime(odd) && !is_power_of_generator((unsigned int)BN_mod_word(modulus, odd), odd)) {
            return false;
        }
    }
    return true;
}
