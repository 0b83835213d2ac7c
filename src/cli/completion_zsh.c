/* SPDX-License-Identifier: Apache-2.0 */
/* For zsh: what _arguments is told at each place, and a function that goes from one place to the next as the
 * line does. */
#include <stdio.h>
#include <string.h>

#include "cli/completion.h"

static const char *const actions[] = {
    [COMPLETE_NOTHING] = " ",
    [COMPLETE_FILES] = "_files",
    [COMPLETE_DIRECTORIES] = "_files -/",
    [COMPLETE_PROFILES] = "_keystay_profiles",
};

static const char head[] =
    "#compdef keystay\n"
    "# zsh completion for keystay, printed by: keystay completion zsh\n"
    "\n"
    "_keystay_profiles()\n"
    "{\n"
    "    local -a names\n"
    "    (( ${+opt_args[--config]} )) && config=(--config ${(Q)opt_args[--config]})\n"
    "    names=(${${(f)\"$(command keystay $config profile list 2>/dev/null)\"}%% *})\n"
    "    compadd \"$@\" -a names\n"
    "}\n"
    "\n"
    "# _keystay_sources WORD...: where a PIN may come from, and the path of file:PATH.\n"
    "_keystay_sources()\n"
    "{\n"
    "    if compset -P 'file:'; then\n"
    "        _files\n"
    "    else\n"
    "        compadd -S '' - ${(M)@:#*:}\n"
    "        compadd - ${@:#*:}\n"
    "    fi\n"
    "}\n"
    "\n"
    "# _keystay_at PLACE: a place is a command, the first word of several, or nothing.\n"
    "_keystay_at()\n"
    "{\n"
    "    local curcontext=$curcontext state state_descr line\n"
    "    local -a options next argument\n"
    "    typeset -A opt_args\n"
    "\n"
    "    case $1 in\n";

static const char tail[] =
    "    esac\n"
    "    if (( ! $#next )); then\n"
    "        _arguments $options $argument\n"
    "        return\n"
    "    fi\n"
    "    _arguments -C $options '1: :->word' '*:: :->rest' && return\n"
    "    case $state in\n"
    "        word) _describe -t commands command next ;;\n"
    "        rest)\n"
    "            (( ${+opt_args[--config]} )) && config=(--config ${(Q)opt_args[--config]})\n"
    "            _keystay_at \"${1:+$1 }$words[1]\"\n"
    "            ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "_keystay()\n"
    "{\n"
    "    _keystay_at ''\n"
    "}\n"
    "\n"
    "if [[ $funcstack[1] == _keystay ]]; then\n"
    "    _keystay\n"
    "else\n"
    "    compdef _keystay keystay\n"
    "fi\n";

/* Within a specification, and within single quotes. */
static void put_escaped(const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            (void)fputs("'\\''", stdout);
            continue;
        }
        if (strchr(special, *text) != NULL) {
            (void)putchar('\\');
        }
        (void)putchar(*text);
    }
}

static void put_action(const struct complete_option *option)
{
    (void)putchar(':');
    put_escaped(option->metavar, ":\\");
    (void)putchar(':');
    if (option->with != COMPLETE_WORDS && option->with != COMPLETE_SOURCES) {
        (void)fputs(actions[option->with], stdout);
        return;
    }
    (void)fputs(option->with == COMPLETE_WORDS ? "(" : " _keystay_sources ", stdout);
    for (const char *const *word = option->words; *word != NULL; word++) {
        (void)fputs(word == option->words ? "" : " ", stdout);
        put_escaped(*word, ":\\");
    }
    (void)fputs(option->with == COMPLETE_WORDS ? ")" : "", stdout);
}

static void put_option(const struct complete_option *option)
{
    (void)printf("                '%s", option->is_list ? "*" : "");
    if (option->letter != 0) {
        (void)printf("(-%c --%s)'{-%c,--%s}'", option->letter, option->name, option->letter, option->name);
    } else {
        (void)printf("--%s%s", option->name, option->metavar == NULL ? "" : "=");
    }
    (void)putchar('[');
    put_escaped(option->help, "[]:\\");
    (void)putchar(']');
    if (option->metavar != NULL) {
        put_action(option);
    }
    (void)fputs("'\n", stdout);
}

static void put_options(const struct command *command)
{
    struct complete_option options[COMPLETE_OPTIONS_MAX];
    const size_t n = complete_options(command, options);

    (void)fputs("            options=(\n", stdout);
    for (size_t i = 0; i < n; i++) {
        put_option(&options[i]);
    }
    (void)fputs("            )\n", stdout);
}

static void put_words(const char *first)
{
    struct complete_word words[COMPLETE_WORDS_MAX];
    const size_t n = complete_words(first, words);

    (void)fputs("            next=(\n", stdout);
    for (size_t i = 0; i < n; i++) {
        (void)printf("                '%s", words[i].word);
        if (words[i].summary[0] != '\0') {
            (void)putchar(':');
            put_escaped(words[i].summary, "\\");
        }
        (void)fputs("'\n", stdout);
    }
    (void)fputs("            )\n            ;;\n", stdout);
}

static void put_groups(void)
{
    struct complete_word words[COMPLETE_WORDS_MAX];
    const size_t n = complete_words("", words);

    (void)fputs("        '')\n", stdout);
    put_options(NULL);
    put_words("");
    (void)fputs("        'help')\n", stdout);
    put_words("");
    for (size_t i = 0; i < n; i++) {
        if (cli_find_command(words[i].word) == NULL) {
            (void)printf("        '%s' | 'help %s')\n", words[i].word, words[i].word);
            put_words(words[i].word);
        }
    }
}

void completion_zsh_put(void)
{
    (void)fputs(head, stdout);
    put_groups();
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct command *command = cli_commands[i];

        if (command == &command_help) {
            continue;
        }
        (void)printf("        '%s')\n", command->name);
        put_options(command);
        if (complete_argument(command) != COMPLETE_NOTHING) {
            (void)printf(
                "            argument=('1:%.*s:%s')\n", (int)strlen(command->arguments) - 2,
                command->arguments + 1, actions[complete_argument(command)]);
        }
        (void)fputs("            ;;\n", stdout);
    }
    (void)fputs(tail, stdout);
}
