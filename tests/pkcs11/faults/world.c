/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links in three functions of its own for those of the rooms: nanosleep and clock_monotonic_ms (a table of
 * thousands of faults cannot wait for readers and climbs), and kdf_scrypt_byte (which costs time on purpose).
 */
#include "world.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../../unit/rsa.h"
#include "../../unit/scratch.h"
#include "base/file.h"
#include "judge.h"
#include "pkcs11/cryptoki/inventory.h"
#include "pkcs11/latch.h"
#include "pkcs11/settings.h"
#include "signer/signer.h"

enum { NEXT_CLIMB_MS = 31000, HANGS_AFTER_S = 30, COMPLAINTS_SHOWN = 40, SIGNATURE_LEN = 64 };

static const char *module_path;
static struct scratch folder;
static char pin_source[SCRATCH_PATH_SIZE + 8];
static char state_dir[SCRATCH_PATH_SIZE];
static EVP_PKEY *key;
static struct buf certificate = BUF(1 << 14);
static unsigned char point[2 + 65] = { 0x04, 65 }; /* an OCTET STRING */
static int64_t now_ms = 1000;
static size_t n_complaints;
static const struct world *current; /* for the alarm */

int __wrap_nanosleep(const struct timespec *pause, struct timespec *left);
int64_t __wrap_clock_monotonic_ms(void);
enum keystay_status __wrap_kdf_scrypt_byte(
    const struct secret *secret, struct slice salt, uint8_t *ret_byte, struct keystay_error *err);

int __wrap_nanosleep(const struct timespec *pause, struct timespec *left)
{
    (void)left;
    now_ms += (int64_t)pause->tv_sec * 1000 + pause->tv_nsec / 1000000;
    return 0;
}

int64_t __wrap_clock_monotonic_ms(void)
{
    return now_ms;
}

enum keystay_status __wrap_kdf_scrypt_byte(
    const struct secret *secret, struct slice salt, uint8_t *ret_byte, struct keystay_error *err)
{
    (void)err;
    *ret_byte = salt.data[0];
    for (size_t i = 0; i < secret->len; i++) {
        *ret_byte = (uint8_t)(*ret_byte * 31 + (uint8_t)secret->data[i]);
    }
    return KEYSTAY_OK;
}

static void pass_ms(CK_ULONG ms)
{
    now_ms += (int64_t)ms;
}

void world_wait(void)
{
    now_ms += NEXT_CLIMB_MS;
}

void complain(const struct world *world, const char *format, ...)
{
    va_list arguments;

    if (n_complaints++ >= COMPLAINTS_SHOWN) {
        return;
    }
    (void)fprintf(stderr, "%s: ", world->what);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

size_t world_complaints(void)
{
    size_t n = n_complaints;

    n_complaints = 0;
    return n;
}

/* What hangs says where, and ends the run. */
static void on_alarm(int number)
{
    static const char text[] = ": did not return\n";

    (void)number;
    if (current == NULL || write(STDERR_FILENO, current->what, strlen(current->what)) < 0 ||
        write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
        _exit(2);
    }
    _exit(1);
}

/* ECDSA gives SEQUENCE { r, s }; a token gives both as 32 bytes after each other. */
static void sign(const unsigned char *input, size_t len, bool is_digest, unsigned char *ret_signature)
{
    unsigned char digest[32];
    unsigned char der[128];
    const unsigned char *at = der;
    size_t der_len = sizeof(der);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

    if (!is_digest) {
        assert_int_equal(EVP_Digest(input, len, digest, NULL, EVP_sha256(), NULL), 1);
    }
    assert_int_equal(EVP_PKEY_sign_init(context), 1);
    assert_int_equal(
        EVP_PKEY_sign(context, der, &der_len, is_digest ? input : digest, is_digest ? len : sizeof(digest)),
        1);
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), ret_signature, SIGNATURE_LEN / 2), 32);
    assert_int_equal(
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), ret_signature + SIGNATURE_LEN / 2, SIGNATURE_LEN / 2), 32);
    ECDSA_SIG_free(pair);
    EVP_PKEY_CTX_free(context);
}

void world_build(const char *module)
{
    const struct sigaction action = { .sa_handler = on_alarm };
    char pin_path[SCRATCH_PATH_SIZE];
    size_t len = 0;

    module_path = module;
    folder = scratch_new();
    scratch_put(&folder, "pin", SLICE("123456\n"), 0600);
    (void)snprintf(pin_source, sizeof(pin_source), "file:%s", scratch_path(&folder, "pin", pin_path));
    (void)scratch_path(&folder, "state", state_dir);
    key = EVP_EC_gen("P-256");
    assert_non_null(key);
    cert_der(&(const struct cert_spec){ .key = key }, &certificate);
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point + 2, sizeof(point) - 2, &len), 1);
    assert_int_equal(len, sizeof(point) - 2);
    scripted.certificate = certificate.data;
    scripted.certificate_len = certificate.len;
    scripted.point = point;
    scripted.point_len = sizeof(point);
    scripted.sign = sign;
    scripted.pass_ms = pass_ms;
    (void)sigaction(SIGALRM, &action, NULL);
}

void world_end(void)
{
    EVP_PKEY_free(key);
    buf_clear(&certificate);
    scratch_remove(&folder);
}

/* The latch of the scripted token, locked until it is closed. */
static struct latch open_latch(void)
{
    struct latch latch = LATCH_NONE;
    CK_TOKEN_INFO info;

    scripted_token_info(&info);
    assert_ok(latch_open(&info, state_dir, &latch, NULL));
    return latch;
}

void world_forget_pin(void)
{
    struct latch latch = open_latch();

    assert_ok(latch_erase(&latch, NULL));
    latch_close(&latch);
    scripted.has_refused = false;
    scripted.last_login = CKR_OK;
    scripted.has_tried = false;
}

static void on_enter(void *context, const char *call)
{
    (void)context;
    scripted.announced = call;
}

static void on_leave(void *context)
{
    (void)context;
    scripted.announced = NULL;
}

/* What the latch tells is what became of the last PIN. */
static void check_latch(const struct world *world)
{
    struct latch latch = open_latch();
    CK_RV rv = scripted.last_login;
    enum latch_state wanted = scripted.has_tried                                 ? LATCH_TRYING
                              : judge_is_wrong_pin(rv)                           ? LATCH_REJECTED
                              : rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? LATCH_CLEAR
                                                                                 : LATCH_TRYING;

    latch_close(&latch);
    if (latch.state != wanted) {
        complain(world, "the latch is %d after a login that answered 0x%lX", (int)latch.state, rv);
    }
}

/* What holds after each call, whatever the module did. */
static void check_world(struct world *world)
{
    if (scripted.n_unannounced > 0 || scripted.announced != NULL) {
        complain(world, "%zu calls that the watch did not know of", scripted.n_unannounced);
    }
    if (scripted.n_stale > 0) {
        complain(world, "%zu uses of a stale handle, the first in %s", scripted.n_stale, scripted.stale);
    }
    if (scripted.n_pins_in_vain > 0) {
        complain(world, "a refused PIN was sent again %zu times", scripted.n_pins_in_vain);
    }
    if (scripted.n_pins_in_trouble > 0) {
        complain(world, "a PIN was sent again %zu times after trouble with it", scripted.n_pins_in_trouble);
    }
    scripted.n_unannounced = 0;
    scripted.n_pins_in_trouble = 0;
    scripted.n_stale = 0;
    scripted.n_pins_in_vain = 0;
    if (world->n_pins_seen != scripted.n_pins) {
        world->n_pins_seen = scripted.n_pins;
        check_latch(world);
    }
}

static struct keystay_pkcs11_config config_of_token(void)
{
    static const struct keystay_call_watch watch = { .enter = on_enter, .leave = on_leave };

    return (struct keystay_pkcs11_config){
        .module = module_path,
        .key_uri = "pkcs11:library-manufacturer=keystay;slot-description=scripted%20slot;serial=0001;id=%01",
        .pin_source = (scripted.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0 ? "none" : pin_source,
        .state_dir = state_dir,
        .now_s = CERT_NOW_S,
        .watch = &watch,
    };
}

static enum keystay_status open_one(struct keystay_signer **ret_signer, struct keystay_error *ret_error)
{
    const struct keystay_pkcs11_config config = config_of_token();

    return keystay_pkcs11_open(&config, ret_signer, ret_error);
}

void world_begin(struct world *world, const struct scene *scene)
{
    struct keystay_error error;

    scripted_reset();
    scripted.always_authenticate = scene->always_authenticate;
    scripted.flags = scene->has_pad ? CKF_PROTECTED_AUTHENTICATION_PATH : 0;
    scripted.sessions_max = scene->sessions_max;
    scripted.also = scene->also;
    *world = (struct world){ .scene = scene };
    current = world;
    world_forget_pin();
    if (scene->has_neighbour && open_one(&world->neighbour, &error) != KEYSTAY_OK) {
        fail_msg("the neighbour does not open: %s", error.message);
    }
    scripted_forget_failures();
    memset(scripted.n_calls, 0, sizeof(scripted.n_calls));
    (void)alarm(HANGS_AFTER_S);
}

void world_leave(struct world *world)
{
    /* After a look the module is closed: what did not end then is somebody else's from then on. */
    bool may_fail_to_end =
        scripted.fault.call == CALL_FINALIZE && (scripted.fault.first != 0 || world->scene->is_looked_at);

    keystay_signer_free(world->signer);
    keystay_signer_free(world->neighbour);
    (void)alarm(0);
    current = NULL;
    if (scripted.is_initialized && !may_fail_to_end) {
        complain(world, "the module was left initialised");
    }
    if (scripted.n_stale > 0) {
        complain(
            world, "the end: %zu uses of a stale handle, the first in %s", scripted.n_stale, scripted.stale);
    }
}

enum keystay_status world_open(struct world *world, struct keystay_error *ret_error)
{
    struct keystay_signer *const untouched = (struct keystay_signer *)&n_complaints;
    struct keystay_signer *signer = untouched;

    *ret_error = (struct keystay_error){ 0 };
    scripted_forget_failures();
    enum keystay_status status = open_one(&signer, ret_error);
    if (status == KEYSTAY_OK) {
        world->signer = signer;
    } else {
        if (signer != untouched) {
            complain(world, "a failed opening touched its output");
        }
        judge_error(world, status, ret_error);
    }
    check_world(world);
    return status;
}

void world_close(struct world *world)
{
    keystay_signer_free(world->signer);
    world->signer = NULL;
}

enum keystay_status world_sign(struct world *world, struct keystay_error *ret_error)
{
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
    const struct tbs tbs = { TBS_ASSERTION, KEYSTAY_ALG_ES256, SLICE("header.payload"), NULL };

    *ret_error = (struct keystay_error){ 0 };
    scripted_forget_failures();
    enum keystay_status status = signer_sign(world->signer, &tbs, &signature, ret_error);
    if (status != KEYSTAY_OK) {
        if (signature.len != 0) {
            complain(world, "a failed signature left %zu bytes", signature.len);
        }
        judge_error(world, status, ret_error);
    } else if (
        signature.len != scripted.signature_len ||
        memcmp(signature.data, scripted.signature, signature.len) != 0) {
        complain(world, "what was returned is not what the token signed");
    }
    check_world(world);
    return status;
}

enum keystay_status world_check(struct world *world, struct keystay_error *ret_error)
{
    *ret_error = (struct keystay_error){ 0 };
    scripted_forget_failures();
    enum keystay_status status = keystay_signer_check(world->signer, ret_error);
    if (status != KEYSTAY_OK) {
        judge_error(world, status, ret_error);
    }
    check_world(world);
    return status;
}

/* An inventory_visit. */
static enum keystay_status count_keys(
    const struct inventory_token *token, void *context, struct keystay_error *err)
{
    size_t *n_keys = context;

    (void)err;
    *n_keys += token->n_keys;
    return KEYSTAY_OK;
}

enum keystay_status world_look(struct world *world, struct keystay_error *ret_error)
{
    const struct keystay_pkcs11_config config = config_of_token();
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    const size_t untouched = 99;
    size_t n_tokens = untouched;
    size_t n_keys = 0;

    *ret_error = (struct keystay_error){ 0 };
    scripted_forget_failures();
    assert_ok(p11_settings_read(&config, &settings, NULL));
    enum keystay_status status = inventory_read(&settings, count_keys, &n_keys, &n_tokens, ret_error);
    if (status != KEYSTAY_OK) {
        if (n_tokens != untouched) {
            complain(world, "a failed look touched its output");
        }
        judge_error(world, status, ret_error);
    } else if ((n_tokens != 1 || n_keys != 1) && !judge_is_fewer_seen()) {
        complain(world, "%zu tokens with %zu keys were seen", n_tokens, n_keys);
    }
    check_world(world);
    return status;
}

enum keystay_status world_work(struct world *world, struct keystay_error *ret_error)
{
    if (world->signer == NULL) {
        enum keystay_status status = world_open(world, ret_error);
        if (status != KEYSTAY_OK) {
            return status;
        }
    }
    return world_sign(world, ret_error);
}
