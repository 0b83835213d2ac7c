/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cache_record.h"

#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/str.h"
#include "core/throttle.h"
#include "oauth/token_response.h"

enum { FORM = 2 };

void cache_record_clear(struct cache_record *record)
{
    token_freep(&record->token);
    record->wait_until_s = record->lead_s = 0;
}

enum keystay_status cache_record_write(
    const struct cache_key *key, const struct cache_record *record, struct buf *ret_text,
    struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(ret_text);
    const struct keystay_token *token = record->token;

    TRY(json_write_i64(&out, "keystay", FORM, err));
    TRY(json_write_str(&out, "key", key->text, err));
    TRY(json_write_i64(&out, "clock_lead", token == NULL ? record->lead_s : token->lead_s, err));
    if (token == NULL) {
        TRY(json_write_i64(&out, "wait_until", record->wait_until_s, err));
        return json_write_end(&out, err);
    }
    TRY(json_write_i64(&out, "obtained_at", token->obtained_at_s, err));
    TRY(json_write_i64(&out, "expires_at", token->expires_at_s, err));
    TRY(json_write_i64(&out, "refresh_at", token->refresh_at_s, err));
    TRY(json_write_i64(&out, "ext_expires_at", token->ext_expires_at_s, err));
    TRY(json_write_slice(&out, "access_token", secret_slice(&token->value), err));
    return json_write_end(&out, err);
}

static enum keystay_status check_times(
    const struct keystay_token *token, struct clock_moment now, struct keystay_error *err)
{
    if (token->obtained_at_s > now.now_s + CLOCK_SLACK_S || token->lead_s > now.lead_s + CLOCK_SLACK_S) {
        return err_set(err, KEYSTAY_E_CONFIG, "it was written by a clock that was ahead of today's");
    }
    if (token->obtained_at_s < 0 || token->expires_at_s <= token->obtained_at_s ||
        token->expires_at_s - token->obtained_at_s > TOKEN_EXPIRES_MAX_S) {
        return err_set(err, KEYSTAY_E_CONFIG, "its times make no sense");
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_token(
    const struct json *object, struct clock_moment now, struct keystay_token **ret_token,
    struct keystay_error *err)
{
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    TRY(token_new(&token, err));
    TRY(json_get_i64(object, "obtained_at", &token->obtained_at_s, err));
    TRY(json_get_i64(object, "expires_at", &token->expires_at_s, err));
    TRY(json_get_i64(object, "refresh_at", &token->refresh_at_s, err));
    TRY(json_get_i64(object, "ext_expires_at", &token->ext_expires_at_s, err));
    TRY(json_get_i64(object, "clock_lead", &token->lead_s, err));
    TRY(check_times(token, now, err));
    TRY(json_get_secret(object, "access_token", &token->value, err));
    TRY(token_check_value(&token->value, err));
    *ret_token = take_ptr(&token);
    return KEYSTAY_OK;
}

static enum keystay_status check_head(
    const struct json *object, const struct cache_key *key, struct keystay_error *err)
{
    const char *text = NULL; /* borrowed from object */
    int64_t form = 0;

    TRY(json_get_i64(object, "keystay", &form, err));
    if (form != FORM) {
        return err_set(err, KEYSTAY_E_CONFIG, "another version of keystay wrote it");
    }
    TRY(json_get_str(object, "key", &text, err));
    if (!str_equal(text, key->text)) {
        return err_set(err, KEYSTAY_E_CONFIG, "it is for another request");
    }
    return KEYSTAY_OK;
}

/* Compared by the clock that nobody sets. */
static enum keystay_status read_wait(
    const struct json *object, struct clock_moment now, struct cache_record *ret_record,
    struct keystay_error *err)
{
    int64_t until_s = 0;
    int64_t lead_s = 0;

    TRY(json_get_i64(object, "wait_until", &until_s, err));
    TRY(json_get_i64(object, "clock_lead", &lead_s, err));
    if (until_s < 0 || until_s - lead_s > now.now_s - now.lead_s + THROTTLE_LONGEST_S) {
        return err_set(err, KEYSTAY_E_CONFIG, "its times make no sense");
    }
    ret_record->wait_until_s = until_s;
    ret_record->lead_s = lead_s;
    return KEYSTAY_OK;
}

static enum keystay_status parse(
    struct slice text, const struct cache_key *key, struct clock_moment now, struct cache_record *ret_record,
    struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *object = NULL; /* secret: json_free wipes */

    TRY(json_parse_object(text, &object, err));
    TRY(check_head(object, key, err));
    return json_has(object, "wait_until") ? read_wait(object, now, ret_record, err)
                                          : read_token(object, now, &ret_record->token, err);
}

enum keystay_status cache_record_parse(
    struct slice text, const struct cache_key *key, struct clock_moment now, struct cache_record *ret_record,
    struct keystay_error *err)
{
    CLEANUP(cache_record_clear) struct cache_record record = { 0 };

    if (parse(text, key, now, &record, err) != KEYSTAY_OK) {
        if (err != NULL) {
            err->status = KEYSTAY_E_CONFIG; /* the parser speaks of servers; here it is a file of ours */
        }
        return KEYSTAY_E_CONFIG;
    }
    *ret_record = record;
    record = (struct cache_record){ 0 };
    return KEYSTAY_OK;
}

bool cache_record_is_of(struct slice text, const struct cache_key *base)
{
    CLEANUP(json_freep) struct json *object = NULL;
    const char *key = NULL;

    return json_parse_object(text, &object, NULL) == KEYSTAY_OK &&
           json_get_str(object, "key", &key, NULL) == KEYSTAY_OK && str_has_prefix(key, base->text);
}
