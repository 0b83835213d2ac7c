/* SPDX-License-Identifier: Apache-2.0 */
/* What ends when: for people, and for whatever looks at it every morning. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/str.h"
#include "cli/certs.h"
#include "cli/watchdog.h"

enum {
    TEXT_MAX = 256 * 1024,
    LINE_SIZE = 1200,
    DAY_S = 24 * 60 * 60,
    WITHIN_DEFAULT = 30,
    WITHIN_MAX = 3650
};

struct judgement {
    const struct cert_list *list;
    int64_t within_s;
    size_t n_ending; /* that nobody has renewed */
};

/* In the words that programs read. */
static const char *state_of(const struct judgement *judgement, const struct cert_item *item)
{
    const int64_t now_s = judgement->list->now_s;
    const int64_t not_after_s = certificate_not_after_s(item->certificate);

    if (item->is_superseded) {
        return "superseded";
    }
    if (now_s > not_after_s) {
        return "expired";
    }
    if (now_s < certificate_not_before_s(item->certificate)) {
        return "not-yet-valid";
    }
    return not_after_s - now_s <= judgement->within_s ? "ending" : "valid";
}

static bool is_ending(const char *state)
{
    return str_equal(state, "ending") || str_equal(state, "expired");
}

static enum keystay_status put_text(
    struct judgement *judgement, const struct cert_item *item, struct buf *to, struct keystay_error *err)
{
    const int64_t not_after_s = certificate_not_after_s(item->certificate);
    const char *state = state_of(judgement, item);
    char line[LINE_SIZE];
    char end[CLOCK_TEXT_SIZE];
    char distance[CLOCK_DISTANCE_SIZE];

    clock_format_utc(not_after_s, end);
    clock_format_distance(not_after_s, judgement->list->now_s, distance);
    (void)snprintf(
        line, sizeof(line), "%-13s %s (%s)  '%s'  %s\n", state, end, distance,
        certificate_subject(item->certificate), item->where);
    return buf_puts(to, line, err);
}

static enum keystay_status put_json(
    struct judgement *judgement, const struct cert_item *item, struct json_write *out,
    struct keystay_error *err)
{
    const int64_t not_after_s = certificate_not_after_s(item->certificate);

    TRY(json_write_begin(out, NULL, '{', err));
    TRY(json_write_str(out, "state", state_of(judgement, item), err));
    TRY(json_write_str(out, "subject", certificate_subject(item->certificate), err));
    TRY(json_write_str(out, "where", item->where, err));
    TRY(json_write_i64(out, "not_before", certificate_not_before_s(item->certificate), err));
    TRY(json_write_i64(out, "not_after", not_after_s, err));
    TRY(json_write_i64(out, "seconds_left", not_after_s - judgement->list->now_s, err));
    return json_write_finish(out, '{', err);
}

static enum keystay_status put_all(
    struct judgement *judgement, bool is_json, struct buf *to, struct keystay_error *err)
{
    const struct cert_list *list = judgement->list;
    struct json_write out = JSON_WRITE(to);

    if (is_json) {
        TRY(json_write_begin(&out, "certificates", '[', err));
    }
    for (size_t i = 0; i < list->n; i++) {
        judgement->n_ending += is_ending(state_of(judgement, &list->items[i])) ? 1 : 0;
        TRY(is_json ? put_json(judgement, &list->items[i], &out, err)
                    : put_text(judgement, &list->items[i], to, err));
    }
    if (is_json) {
        TRY(json_write_finish(&out, '[', err));
        TRY(json_write_end(&out, err));
        return buf_putc(to, '\n', err);
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_within(
    const struct cli *cli, int64_t *ret_within_s, struct keystay_error *err)
{
    uint64_t days = WITHIN_DEFAULT;

    if (cli_given(cli, CLI_WITHIN) &&
        str_parse_u64(cli->values[CLI_WITHIN], 0, WITHIN_MAX, &days, NULL) != KEYSTAY_OK) {
        return err_set(err, KEYSTAY_E_USAGE, "--within must be 0 to %d days", WITHIN_MAX);
    }
    *ret_within_s = (int64_t)days * DAY_S;
    return KEYSTAY_OK;
}

static enum keystay_status run_status(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(cert_list_clear) struct cert_list list = { .n = 0 };
    CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);
    struct judgement judgement = { .list = &list };
    const char *format = cli->values[CLI_LIST_FORMAT];

    TRY(read_within(cli, &judgement.within_s, err));
    TRY(cert_list_read(cli, &list, err));
    TRY(put_all(&judgement, format != NULL && str_equal(format, "json"), &text, err));
    TRY(file_write_all(STDOUT_FILENO, buf_slice(&text), err));
    watchdog_forgive();
    return judgement.n_ending == 0
               ? KEYSTAY_OK
               : err_set_hint(
                     err, KEYSTAY_E_ANSWER_NO,
                     "make the next one, register it, then let the old one end: keystay cert create --store",
                     "%zu certificate%s ended, or will within %lld days, and nothing has taken the place",
                     judgement.n_ending, judgement.n_ending == 1 ? " has" : "s have",
                     (long long)(judgement.within_s / DAY_S));
}

const struct command command_cert_status = {
    .name = "cert status",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "which certificate ends when",
    .help =
        "Lists the certificates of --certificate FILE, or those of --key on its token, and when they\n"
        "end. The exit status is 1 when one ends within --within days and no other one of its key, valid\n"
        "now, ends later. No PIN is asked for.\n"
        "\n"
        "  keystay cert status --module /usr/lib/softhsm/libsofthsm2.so --key 'pkcs11:token=backup' --within 45\n",
    .has_settings = true,
    .only_settings = CLI_TOKEN_SETTINGS | SETTING_BIT(SETTING_CERTIFICATE),
    .takes_profile = true,
    .options = OPTION_BIT(CLI_LIST_FORMAT) | OPTION_BIT(CLI_WITHIN),
    .run = run_status,
};
