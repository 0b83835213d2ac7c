/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads rules once and applies them. A rule knows nothing of the module behind the shim; of the calls'
 * arguments it sees only what its effect is about, and never a PIN.
 */
#include "shim_rules.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim_harm.h"

enum { RULES_MAX = 64, WORD_MAX = 256, BYTES_MAX = 64 };

enum effect {
    ANSWER,
    SLEEP,
    HARM,
    HARM_AFTER,
    FLIP,
    LEN,
    SET_FLAGS,
    CLEAR_FLAGS,
    PIN_LEN,
    HIDE_MECHANISM,
    HIDE_ATTRIBUTE,
    DROP_ATTRIBUTE,
    SET_ATTRIBUTE,
};

struct rule {
    enum effect effect;
    unsigned long subject; /* enum shim_call, or an attribute's type */
    unsigned long value;
    const struct harm *harm;
    unsigned long most;  /* PIN_LEN */
    unsigned long first; /* the calls that it is about, counted from 1 */
    unsigned long last;
    CK_BYTE bytes[BYTES_MAX];
    size_t n_bytes;
};

static struct rule rules[RULES_MAX];
static size_t n_rules;
static atomic_ulong n_calls[SHIM_CALL_N];

#define CALL_NAME(name, parameters, arguments) [SHIM_##name] = #name,

static const char *const call_names[SHIM_CALL_N] = {
    [SHIM_dlopen] = "dlopen", [SHIM_C_GetFunctionList] = "C_GetFunctionList", SHIM_CALLS(CALL_NAME)
};

static const struct {
    const char *name;
    CK_ATTRIBUTE_TYPE type;
} attribute_names[] = {
    { "CKA_CLASS", CKA_CLASS },
    { "CKA_LABEL", CKA_LABEL },
    { "CKA_VALUE", CKA_VALUE },
    { "CKA_KEY_TYPE", CKA_KEY_TYPE },
    { "CKA_ID", CKA_ID },
    { "CKA_SENSITIVE", CKA_SENSITIVE },
    { "CKA_SIGN", CKA_SIGN },
    { "CKA_MODULUS", CKA_MODULUS },
    { "CKA_EXTRACTABLE", CKA_EXTRACTABLE },
    { "CKA_ALWAYS_AUTHENTICATE", CKA_ALWAYS_AUTHENTICATE },
    { "CKA_ALLOWED_MECHANISMS", CKA_ALLOWED_MECHANISMS },
};

static _Noreturn void refuse(const char *word)
{
    (void)fprintf(stderr, "shim: cannot read the rule '%s'\n", word);
    abort();
}

/* A number at the start of text; *ret_rest is what follows it. */
static bool read_number(const char *text, unsigned long *ret_number, const char **ret_rest)
{
    char *rest = NULL;

    errno = 0;
    *ret_number = strtoul(text, &rest, 0);
    *ret_rest = rest;
    return rest != text && errno == 0 && text[0] != '-';
}

static bool read_last_number(const char *text, unsigned long *ret_number)
{
    const char *rest = NULL;

    return read_number(text, ret_number, &rest) && *rest == '\0';
}

/* "", "@2" or "@2+" */
static bool read_when(const char *text, struct rule *rule)
{
    const char *rest = NULL;

    rule->first = 1;
    rule->last = (unsigned long)-1;
    if (text[0] == '\0') {
        return true;
    }
    if (text[0] != '@' || !read_number(text + 1, &rule->first, &rest)) {
        return false;
    }
    rule->last = rest[0] == '+' ? rule->last : rule->first;
    return rest[0] == '\0' || (rest[0] == '+' && rest[1] == '\0');
}

static bool read_call(const char *name, size_t len, unsigned long *ret_call)
{
    for (unsigned long call = 0; call < SHIM_CALL_N; call++) {
        if (strlen(call_names[call]) == len && memcmp(call_names[call], name, len) == 0) {
            *ret_call = call;
            return true;
        }
    }
    return false;
}

/* ":crash" or ":then-crash", and when. */
static bool read_harm(const char *text, struct rule *rule)
{
    static const char after[] = ":then-";

    rule->effect = strncmp(text, after, strlen(after)) == 0 ? HARM_AFTER : HARM;
    text += rule->effect == HARM_AFTER ? strlen(after) : strlen(":");
    size_t len = strcspn(text, "@");
    rule->harm = harm_by_name(text, len);
    return rule->harm != NULL && read_when(text + len, rule);
}

/* What follows a call's name. */
static bool read_call_rule(const char *text, struct rule *rule)
{
    static const struct {
        const char *word;
        enum effect effect;
        bool has_value;
    } forms[] = {
        { "=", ANSWER, true },
        { ":sleep=", SLEEP, true },
        { ":len=", LEN, true },
        { ":flip", FLIP, false },
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        size_t len = strlen(forms[i].word);
        const char *rest = text + len;

        if (strncmp(text, forms[i].word, len) == 0) {
            rule->effect = forms[i].effect;
            return (!forms[i].has_value || read_number(rest, &rule->value, &rest)) && read_when(rest, rule);
        }
    }
    return text[0] == ':' && read_harm(text, rule);
}

static bool read_bytes(const char *hex, struct rule *rule)
{
    rule->n_bytes = strlen(hex) / 2;
    if (strlen(hex) % 2 != 0 || rule->n_bytes > BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < rule->n_bytes; i++) {
        const char digits[] = { hex[2 * i], hex[2 * i + 1], '\0' };
        char *end = NULL;
        rule->bytes[i] = (CK_BYTE)strtoul(digits, &end, 16);
        if (*end != '\0') {
            return false;
        }
    }
    return true;
}

static bool read_attribute_name(const char *name, size_t len, unsigned long *ret_type)
{
    for (size_t i = 0; i < sizeof(attribute_names) / sizeof(attribute_names[0]); i++) {
        if (strlen(attribute_names[i].name) == len && memcmp(attribute_names[i].name, name, len) == 0) {
            *ret_type = attribute_names[i].type;
            return true;
        }
    }
    const char *rest = NULL;
    return read_number(name, ret_type, &rest) && rest == name + len;
}

static bool read_attribute_rule(const char *value, struct rule *rule)
{
    rule->effect = SET_ATTRIBUTE;
    if (strcmp(value, "hidden") == 0) {
        rule->effect = HIDE_ATTRIBUTE;
        return true;
    }
    if (strcmp(value, "missing") == 0) {
        rule->effect = DROP_ATTRIBUTE;
        return true;
    }
    if (strcmp(value, "true") == 0) {
        return read_bytes("01", rule);
    }
    if (strcmp(value, "false") == 0) {
        return read_bytes("00", rule);
    }
    return strncmp(value, "0x", 2) == 0 && read_bytes(value + 2, rule);
}

static struct rule *add(void)
{
    if (n_rules == RULES_MAX) {
        refuse("one more than there is room for");
    }
    return &rules[n_rules++];
}

/* "-0x43,-0xD": a rule for each. */
static bool read_mechanisms(const char *text)
{
    for (;;) {
        struct rule *rule = add();

        rule->effect = HIDE_MECHANISM;
        if (text[0] != '-' || !read_number(text + 1, &rule->value, &text)) {
            return false;
        }
        if (*text == '\0') {
            return true;
        }
        if (*text++ != ',') {
            return false;
        }
    }
}

static bool read_pin_len(const char *text, struct rule *rule)
{
    rule->effect = PIN_LEN;
    return read_number(text, &rule->value, &text) && text[0] == '-' &&
           read_last_number(text + 1, &rule->most);
}

static bool read_rule(const char *word)
{
    size_t name_len = strcspn(word, "=:+");
    const char *rest = word + name_len;
    struct rule *rule = NULL;
    unsigned long subject = 0;

    if (strncmp(word, "mechanisms=", 11) == 0) {
        return read_mechanisms(word + 11);
    }
    rule = add();
    if (strncmp(word, "flags+=", 7) == 0 || strncmp(word, "flags-=", 7) == 0) {
        rule->effect = word[5] == '+' ? SET_FLAGS : CLEAR_FLAGS;
        return read_last_number(word + 7, &rule->value);
    }
    if (strncmp(word, "pin-len=", 8) == 0) {
        return read_pin_len(word + 8, rule);
    }
    if (read_call(word, name_len, &subject)) {
        rule->subject = subject;
        return read_call_rule(rest, rule);
    }
    if (read_attribute_name(word, name_len, &subject) && rest[0] == '=') {
        rule->subject = subject;
        return read_attribute_rule(rest + 1, rule);
    }
    return false;
}

void rules_read(const char *text)
{
    char word[WORD_MAX];

    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, " ");

        if (len >= sizeof(word)) {
            refuse("a word that is too long");
        }
        memcpy(word, text, len);
        word[len] = '\0';
        if (len > 0 && !read_rule(word)) {
            refuse(word);
        }
        text += len + strspn(text + len, " ");
    }
}

static const struct rule *find(enum effect effect, unsigned long subject)
{
    for (size_t i = 0; i < n_rules; i++) {
        if (rules[i].effect == effect && rules[i].subject == subject) {
            return &rules[i];
        }
    }
    return NULL;
}

/* The rule for this time of the call. */
static const struct rule *find_for_call(enum effect effect, enum shim_call call)
{
    unsigned long n = atomic_load(&n_calls[call]);

    for (size_t i = 0; i < n_rules; i++) {
        if (rules[i].effect == effect && rules[i].subject == (unsigned long)call && n >= rules[i].first &&
            n <= rules[i].last) {
            return &rules[i];
        }
    }
    return NULL;
}

static void sleep_ms(unsigned long ms)
{
    struct timespec rest = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
}

bool rules_before(enum shim_call call, CK_RV *ret_rv)
{
    (void)atomic_fetch_add(&n_calls[call], 1);
    const struct rule *slow = find_for_call(SLEEP, call);
    const struct rule *harm = find_for_call(HARM, call);
    const struct rule *answer = find_for_call(ANSWER, call);

    if (harm != NULL && harm_is_due()) {
        harm_do(harm->harm);
    }
    if (slow != NULL) {
        sleep_ms(slow->value);
    }
    if (answer != NULL) {
        *ret_rv = answer->value;
    }
    return answer != NULL;
}

void rules_after(enum shim_call call)
{
    const struct rule *harm = find_for_call(HARM_AFTER, call);

    if (harm != NULL && harm_is_due()) {
        harm_do(harm->harm);
    }
}

void rules_bend_signature(CK_BYTE *signature, CK_ULONG *len)
{
    const struct rule *claim = find_for_call(LEN, SHIM_C_Sign);

    if (signature != NULL && *len > 0 && find_for_call(FLIP, SHIM_C_Sign) != NULL) {
        signature[*len - 1] ^= 1;
    }
    *len = claim != NULL ? claim->value : *len;
}

void rules_bend_token(CK_TOKEN_INFO *info)
{
    for (size_t i = 0; i < n_rules; i++) {
        if (rules[i].effect == SET_FLAGS) {
            info->flags |= rules[i].value;
        } else if (rules[i].effect == CLEAR_FLAGS) {
            info->flags &= ~rules[i].value;
        } else if (rules[i].effect == PIN_LEN) {
            info->ulMinPinLen = rules[i].value;
            info->ulMaxPinLen = rules[i].most;
        }
    }
}

bool rules_hide_mechanism(CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < n_rules; i++) {
        if (rules[i].effect == HIDE_MECHANISM && rules[i].value == type) {
            return true;
        }
    }
    return false;
}

static CK_RV withhold(CK_ATTRIBUTE *attribute, CK_ULONG room, CK_RV rv)
{
    if (attribute->pValue != NULL) {
        memset(attribute->pValue, 0, room);
    }
    attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return rv;
}

CK_RV rules_bend_attribute(CK_ATTRIBUTE *attribute, CK_ULONG room, CK_RV rv)
{
    const struct rule *set = find(SET_ATTRIBUTE, attribute->type);

    if (find(HIDE_ATTRIBUTE, attribute->type) != NULL) {
        return withhold(attribute, room, CKR_ATTRIBUTE_SENSITIVE);
    }
    if (find(DROP_ATTRIBUTE, attribute->type) != NULL) {
        return withhold(attribute, room, CKR_ATTRIBUTE_TYPE_INVALID);
    }
    if (set == NULL) {
        return rv;
    }
    if (attribute->pValue != NULL && room < set->n_bytes) {
        return withhold(attribute, room, CKR_BUFFER_TOO_SMALL);
    }
    if (attribute->pValue != NULL) {
        memcpy(attribute->pValue, set->bytes, set->n_bytes);
    }
    attribute->ulValueLen = set->n_bytes;
    return rv;
}
