/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passes is JSON by the letter: cJSON alone, which is more lenient, must take it too, and nothing may
 * pass that is not UTF-8 or holds a NUL. A string that was read can be written and read again.
 */
#include "fuzz.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/json.h"
#include "base/json_check.h"
#include "base/json_write.h"
#include "base/str.h"

enum { MAX = 1 << 21 };

static void check_round_trip(const char *text)
{
    struct buf written = BUF(MAX);
    struct json_write out = JSON_WRITE(&written);
    struct json *again = NULL;
    const char *value = NULL;

    MUST(json_write_str(&out, "a", text, NULL) == KEYSTAY_OK);
    MUST(json_write_end(&out, NULL) == KEYSTAY_OK);
    MUST(json_parse_object(buf_slice(&written), &again, NULL) == KEYSTAY_OK);
    MUST(json_get_str(again, "a", &value, NULL) == KEYSTAY_OK);
    MUST(str_equal(value, text));
    json_free(again);
    buf_clear(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice input = { data, size };
    struct json *json = NULL;
    struct keystay_error err;

    if (json_parse_object(input, &json, &err) != KEYSTAY_OK) {
        MUST(json == NULL);
        MUST(err.message[0] != '\0');
        return 0;
    }
    cJSON *lenient = cJSON_ParseWithLength((const char *)data, size);
    MUST(lenient != NULL && cJSON_IsObject(lenient));
    cJSON_Delete(lenient);
    MUST(json_check(input, JSON_DEPTH_MAX, NULL) == KEYSTAY_OK);
    MUST(str_is_utf8(input));
    MUST(memchr(data, '\0', size) == NULL);
    const char *text = json_str_or_null(json, "a");
    if (text != NULL) {
        check_round_trip(text);
    }
    int64_t number = 0;
    if (json_get_i64(json, "a", &number, NULL) == KEYSTAY_OK) {
        MUST(number >= -(INT64_C(1) << 53) && number <= INT64_C(1) << 53);
    }
    (void)json_first_number_or_0(json, "a");
    json_free(json);
    return 0;
}
