/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/completion.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* What help calls a value says what it is. */
static const struct {
    const char *name;
    enum complete_with with;
} kinds[] = {
    { "FILE", COMPLETE_FILES },
    { "FILE|URI", COMPLETE_FILES },
    { "PATH", COMPLETE_FILES },
    { "DIR", COMPLETE_DIRECTORIES },
    { "SRC", COMPLETE_SOURCES },
    { "[FILE]", COMPLETE_FILES },
    { "[PROFILE]", COMPLETE_PROFILES },
    { "PROFILE", COMPLETE_PROFILES },
    { "PROFILE -- COMMAND [ARGUMENT...]", COMPLETE_PROFILES },
};

static enum complete_with kind_of(const char *name, const char *const *words)
{
    for (size_t i = 0; name != NULL && i < ARRAY_LEN(kinds); i++) {
        const bool is_fit = kinds[i].with != COMPLETE_SOURCES || words != NULL;
        if (is_fit && str_equal(kinds[i].name, name)) {
            return kinds[i].with;
        }
    }
    return words == NULL ? COMPLETE_NOTHING : COMPLETE_WORDS;
}

static struct complete_option of_option(const struct cli_option *option)
{
    return (struct complete_option){
        .name = option->name,
        .letter = option->letter,
        .metavar = option->metavar,
        .help = option->help,
        .words = option->choices,
        .with = kind_of(option->metavar, option->choices),
    };
}

static struct complete_option of_setting(const struct setting *setting)
{
    const char *const *words = setting->choices != NULL ? setting->choices : setting->words;

    return (struct complete_option){
        .name = setting->name,
        .metavar = setting->metavar,
        .help = setting->help,
        .words = words,
        .with = kind_of(setting->metavar, words),
        .is_list = setting->is_list,
    };
}

size_t complete_options(
    const struct command *command, struct complete_option ret_options[COMPLETE_OPTIONS_MAX])
{
    const uint64_t options = command == NULL
                                 ? cli_global_options
                                 : (cli_global_options | command->options) & ~OPTION_BIT(CLI_VERSION);
    const uint64_t settings = command == NULL ? 0 : cli_settings_of(command);
    size_t n = 0;

    for (int id = 0; id < CLI_OPTION_N; id++) {
        if (options & OPTION_BIT(id)) {
            ret_options[n++] = of_option(&cli_options[id]);
        }
    }
    for (int id = 0; id < SETTING_N; id++) {
        if (settings & SETTING_BIT(id)) {
            ret_options[n++] = of_setting(&setting_rows[id]);
        }
    }
    return n;
}

enum complete_with complete_argument(const struct command *command)
{
    return kind_of(command->arguments, NULL);
}

/* The word of name that stands behind first; false when it is not there. */
static bool word_behind(const char *name, const char *first, char ret_word[COMPLETE_WORD_SIZE])
{
    const size_t first_len = strlen(first);

    if (first_len > 0 && (!str_has_prefix(name, first) || name[first_len] != ' ')) {
        return false;
    }
    name += first_len == 0 ? 0 : first_len + 1;
    (void)snprintf(ret_word, COMPLETE_WORD_SIZE, "%.*s", (int)strcspn(name, " "), name);
    return true;
}

size_t complete_words(const char *first, struct complete_word ret_words[COMPLETE_WORDS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < cli_n_commands && n < COMPLETE_WORDS_MAX; i++) {
        struct complete_word *word = &ret_words[n];
        const bool is_group = first[0] == '\0' && strchr(cli_commands[i]->name, ' ') != NULL;

        if (word_behind(cli_commands[i]->name, first, word->word)) {
            word->summary = is_group ? "" : cli_commands[i]->summary;
            bool is_new = true;
            for (size_t j = 0; j < n; j++) {
                is_new = is_new && !str_equal(ret_words[j].word, word->word);
            }
            n += is_new ? 1 : 0;
        }
    }
    return n;
}

void complete_put_quoted(const char *text)
{
    (void)putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            (void)fputs("'\\''", stdout);
        } else {
            (void)putchar(*text);
        }
    }
    (void)putchar('\'');
}
