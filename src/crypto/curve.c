/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/curve.h"

#include <openssl/asn1.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include "base/str.h"

enum { NAME_SIZE = 64 };

/* Names that tokens give and OpenSSL does not know. */
static const struct {
    const char *name;
    int nid;
} aliases[] = {
    { "secp256r1", NID_X9_62_prime256v1 },
};

/* Of these two OpenSSL need not be asked, which would compute a group for each of a thousand keys. */
static const struct {
    int nid;
    struct curve curve;
} ours[] = {
    { NID_X9_62_prime256v1, { CURVE_P256, 256 } },
    { NID_secp384r1, { CURVE_P384, 384 } },
};

static void object_freep(ASN1_OBJECT **object)
{
    ASN1_OBJECT_free(*object);
}

static void string_freep(ASN1_PRINTABLESTRING **string)
{
    ASN1_PRINTABLESTRING_free(*string);
}

static void group_freep(EC_GROUP **group)
{
    EC_GROUP_free(*group);
}

static int nid_of_name(const char *name)
{
    int nid = EC_curve_nist2nid(name);

    for (size_t i = 0; nid == NID_undef && i < ARRAY_LEN(aliases); i++) {
        nid = str_equal(name, aliases[i].name) ? aliases[i].nid : NID_undef;
    }
    return nid != NID_undef ? nid : OBJ_sn2nid(name);
}

/* Whether it is an object identifier; then also its NID, which is NID_undef for one that OpenSSL does not
 * know. */
static bool read_oid(struct slice ec_params, int *ret_nid)
{
    const unsigned char *at = ec_params.data;
    CLEANUP(object_freep) ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &at, (long)ec_params.len);

    if (object == NULL || at != ec_params.data + ec_params.len) {
        return false;
    }
    *ret_nid = OBJ_obj2nid(object);
    return true;
}

static bool read_name(struct slice ec_params, int *ret_nid)
{
    const unsigned char *at = ec_params.data;
    CLEANUP(string_freep)
    ASN1_PRINTABLESTRING *string = d2i_ASN1_PRINTABLESTRING(NULL, &at, (long)ec_params.len);
    char name[NAME_SIZE];

    if (string == NULL || at != ec_params.data + ec_params.len) {
        return false;
    }
    str_quote_foreign(
        (struct slice){ ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string) }, name,
        sizeof(name));
    *ret_nid = nid_of_name(name);
    return true;
}

static struct curve curve_of(int nid)
{
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (ours[i].nid == nid) {
            return ours[i].curve;
        }
    }
    CLEANUP(group_freep) EC_GROUP *group = nid == NID_undef ? NULL : EC_GROUP_new_by_curve_name(nid);
    const unsigned int bits = group == NULL ? 0 : (unsigned int)EC_GROUP_order_bits(group);

    return (struct curve){ CURVE_OTHER, bits };
}

struct curve curve_read(struct slice ec_params)
{
    struct curve curve = { CURVE_UNKNOWN, 0 };
    int nid = NID_undef;

    if (ec_params.len > 0 && (read_oid(ec_params, &nid) || read_name(ec_params, &nid))) {
        curve = curve_of(nid);
    }
    ERR_clear_error();
    return curve;
}

alg_set curve_algs(const struct curve *curve)
{
    alg_set algs = 0;

    for (enum keystay_alg id = KEYSTAY_ALG_RS256; alg_by_id(id) != NULL; id++) {
        bool fits = alg_by_id(id)->family == ALG_ECDSA && curve->id != CURVE_OTHER &&
                    (curve->id == CURVE_UNKNOWN || curve->bits == alg_by_id(id)->ec_bits);
        algs |= fits ? ALG_BIT(id) : 0;
    }
    return algs;
}
