/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNER_SIGNER_H
#define SIGNER_SIGNER_H

/*
 * The seam between those who compose what is to be signed (jose) and those who hold a key (pkcs11). An engine
 * fills in a struct keystay_signer and two operations; everything that must be true of every signature,
 * whichever engine made it, is in signer_sign.
 */

#include "base/buf.h"
#include "crypto/certificate.h"
#include "keystay/signer.h"

/* What kind of structure the bytes are. There is none for "bytes that a caller brought", and there never will
 * be. */
enum tbs_kind {
    TBS_ASSERTION = 1, /* JWS signing input of a client assertion, made by jose/assertion.c */
    TBS_CERTIFICATE,   /* TBSCertificate of the key's own certificate, made by crypto/x509_write.c */
    TBS_REQUEST,       /* CertificationRequestInfo, likewise */
};

/* To be signed: composed by keystay from typed fields. */
struct tbs {
    enum tbs_kind kind;
    enum keystay_alg alg;
    struct slice input; /* borrowed */
    /* The structure that input was composed from: of TBS_ASSERTION a const struct assertion. Borrowed.
     * Another process composes it anew from that, and takes no bytes. NULL: it can be signed in this process
     * alone. */
    const void *fields;
};

enum { SIGNER_SIGNATURE_MAX = 2048 }; /* bytes: RSA with 16384 bits */

struct signer_ops {
    /* Appends the signature, in JOSE's form. Called by several threads at once. */
    enum keystay_status (*sign)(
        struct keystay_signer *signer, const struct tbs *tbs, struct buf *ret_signature,
        struct keystay_error *err);
    /* Whether the key could sign now; what is in the way is put right where that can be done without a
     * person. */
    enum keystay_status (*check)(struct keystay_signer *signer, struct keystay_error *err);
    /* Logs out and forgets the PIN; the next signature gets it from its source again. */
    void (*lock)(struct keystay_signer *signer);
    /* Ends everything and frees the signer itself. */
    void (*close)(struct keystay_signer *signer);
};

/* The head of every engine's own structure. */
struct keystay_signer {
    const struct signer_ops *ops;
    struct certificate *certificate; /* owned by the engine; NULL: the key has none yet, and public_key stands
                                        in. Then no assertion is signed. */
    struct public_key *public_key;   /* owned by the engine; NULL where there is a certificate */
    alg_set algs;
    struct keystay_signer_info info;
};

void signer_freep(struct keystay_signer **signer);

const struct certificate *signer_certificate(const struct keystay_signer *signer);

/* That of the certificate, or what stands in for it. */
const struct public_key *signer_public_key(const struct keystay_signer *signer);

/*
 * Signs, and checks the signature with the signer's public key before it leaves: it catches a key that
 * is not the certificate's, and a token that answers rubbish, before the server does. ret_signature is empty
 * before.
 */
enum keystay_status signer_sign(
    struct keystay_signer *signer, const struct tbs *tbs, struct buf *ret_signature,
    struct keystay_error *err);

#endif
