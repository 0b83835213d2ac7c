/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_KEY_READER_H
#define UNIT_KEY_READER_H

/* Reads key files and looks at what comes of it: the key, or an error with a fix. */

#include "crypto/key_file.h"
#include "key_samples.h"

/* Who is asked for the password. */
struct asked {
    const char *password; /* NULL: does not give one */
    int n_asked;
};

enum keystay_status key_parse(
    struct asked *asked, struct slice content, struct key_file *file, struct keystay_error *err);

/* The private halves are the same. */
void assert_key_is(const struct private_key *key, EVP_PKEY *expected, const char *row);

/* What is read is the key, and the note says `word`. */
void key_take(struct slice content, EVP_PKEY *expected, const char *word, const char *row);

void key_refuse_with(
    const char *password, struct slice content, enum keystay_status status, const char *why,
    const char *hint);

/* As no key file, with the right password. */
void key_refuse(struct slice content, const char *why, const char *hint);

#endif
