/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_KEY_SAMPLES_H
#define UNIT_KEY_SAMPLES_H

/* Key files as applications have them, made anew in each run; and what becomes of them on their way. */

#include <openssl/evp.h>

#include "unit.h"

enum { SAMPLE_MAX = 64 * 1024 };

#define SAMPLE_PASSWORD "s3cret"

enum sample_form {
    SAMPLE_PKCS8,
    SAMPLE_PKCS8_ENCRYPTED,
    SAMPLE_TRADITIONAL,
    SAMPLE_TRADITIONAL_ENCRYPTED,
    SAMPLE_FORM_N,
};

/* Appends the key in PEM. */
void sample_pem(EVP_PKEY *key, enum sample_form form, struct buf *to);

/* The content of a PEM block of 64 KiB at the most, in DER. */
void sample_der(const struct buf *pem, struct buf *to);

/* Base64 of something, in lines of so many characters. */
void sample_base64(struct slice bytes, size_t line, struct buf *to);

/* How a PEM text is damaged. */
struct sample_damage {
    const char *name;
    const char *word; /* of the note that tells what was repaired; "" for what needs no repair */
    void (*spoil)(struct slice pem, struct buf *to);
};

extern const struct sample_damage sample_damages[];
extern const size_t sample_n_damages;

void sample_put(struct buf *to, const char *text);

#endif
