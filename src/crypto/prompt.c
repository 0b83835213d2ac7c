/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's UI asks: it restores the terminal whatever happens, and wipes its own buffer. */
#include "crypto/prompt.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ui.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"

static void ui_freep(UI **ui)
{
    UI_free(*ui);
}

bool prompt_has_terminal(void)
{
    CLEANUP(file_closep) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    return fd >= 0;
}

enum keystay_status prompt_secret(
    const char *question, size_t len_max, struct secret *ret_secret, struct keystay_error *err)
{
    CLEANUP(ui_freep) UI *ui = NULL;
    CLEANUP(secret_clear) struct secret answer = { 0 };

    /* UI_OpenSSL falls back to stdin, which may be anything but a person. */
    if (!prompt_has_terminal()) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_SOURCE, "give --pin-source file:PATH, fd:N or env:NAME",
            "there is no terminal to ask for the PIN on");
    }
    TRY(secret_alloc(&answer, len_max, err));
    ui = UI_new_method(UI_OpenSSL());
    if (ui == NULL || UI_add_input_string(ui, question, 0, answer.data, 0, (int)len_max) < 0) {
        ERR_clear_error();
        return err_no_memory(err);
    }
    int result = UI_process(ui);
    ERR_clear_error();
    if (result != 0) {
        return err_set(err, KEYSTAY_E_INTERRUPTED, "no PIN was given");
    }
    secret_truncate(&answer, strlen(answer.data));
    secret_move(ret_secret, &answer);
    return KEYSTAY_OK;
}

enum keystay_status prompt_confirm(const char *question, struct keystay_error *err)
{
    enum { ANSWER_MAX = 16 };
    char answer[ANSWER_MAX + 1] = { 0 };
    CLEANUP(ui_freep) UI *ui = NULL;

    if (!prompt_has_terminal()) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "say so on the command line: --yes", "there is no terminal to ask on");
    }
    ui = UI_new_method(UI_OpenSSL());
    if (ui == NULL || UI_add_input_string(ui, question, UI_INPUT_FLAG_ECHO, answer, 0, ANSWER_MAX) < 0) {
        ERR_clear_error();
        return err_no_memory(err);
    }
    int result = UI_process(ui);
    ERR_clear_error();
    return result == 0 && strcmp(answer, "yes") == 0
               ? KEYSTAY_OK
               : err_set(err, KEYSTAY_E_INTERRUPTED, "the answer was not yes; nothing was done");
}
