/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/libp11/pin_ui.h"

#include <pthread.h>

static _Thread_local const struct secret *in_hand;
static _Thread_local bool was_used;

static UI_METHOD *method;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A UI reader: 1 is success. */
static int hand_over(UI *ui, UI_STRING *string)
{
    if (UI_get_string_type(string) != UIT_PROMPT) {
        return 1;
    }
    if (in_hand == NULL || was_used) {
        return 0;
    }
    was_used = true;
    return UI_set_result(ui, string, in_hand->data) == 0 ? 1 : 0;
}

static void make_method(void)
{
    method = UI_create_method("keystay");
    if (method != NULL) {
        (void)UI_method_set_reader(method, hand_over);
    }
}

UI_METHOD *pin_ui_method(void)
{
    (void)pthread_once(&once, make_method);
    return method;
}

void pin_ui_set(const struct secret *pin)
{
    in_hand = pin;
    was_used = false;
}

bool pin_ui_was_used(void)
{
    return was_used;
}
