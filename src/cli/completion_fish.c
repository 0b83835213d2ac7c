/* SPDX-License-Identifier: Apache-2.0 */
/* For fish: one line for each option and word, with the place where it may stand as its condition. */
#include <stdio.h>

#include "cli/completion.h"

static const char *const answers[] = {
    [COMPLETE_NOTHING] = " -x",
    [COMPLETE_FILES] = " -r -F",
    [COMPLETE_DIRECTORIES] = " -x -a '(__fish_complete_directories)'",
    [COMPLETE_PROFILES] = " -x -a '(__keystay_profiles)'",
};

static const char head[] =
    "# fish completion for keystay, printed by: keystay completion fish\n"
    "\n"
    "# __keystay_at PLACE: whether the line has come there: to a command, to the first word of several, or to nothing.\n"
    "function __keystay_at\n"
    "    set -l at ''\n"
    "    set -l waits no\n"
    "    for word in (commandline -opc)[2..-1]\n"
    "        if test $waits = yes\n"
    "            set waits no\n"
    "        else if contains -- $word $__keystay_waiting\n"
    "            set waits yes\n"
    "        else if not string match -q -- '-*' $word\n"
    "            set -l next (string trim -- \"$at $word\")\n"
    "            contains -- $next $__keystay_places; or break\n"
    "            set at $next\n"
    "        end\n"
    "    end\n"
    "    test \"$at\" = \"$argv[1]\"\n"
    "end\n"
    "\n"
    "function __keystay_profiles\n"
    "    set -l config\n"
    "    set -l words (commandline -opc)\n"
    "    for i in (seq (count $words))\n"
    "        if string match -q -- '--config=*' $words[$i]\n"
    "            set config $words[$i]\n"
    "        else if test $words[$i] = --config -a $i -lt (count $words)\n"
    "            set config --config $words[(math $i + 1)]\n"
    "        end\n"
    "    end\n"
    "    command keystay $config profile list 2>/dev/null | string replace -r ' .*' ''\n"
    "end\n"
    "\n"
    "# Where a PIN may come from, and the path of file:PATH.\n"
    "function __keystay_sources\n"
    "    set -l word (commandline -ct | string replace -r '^--[^=]*=' '')\n"
    "    if string match -q 'file:*' -- $word\n"
    "        __fish_complete_path (string sub -s 6 -- $word) | string replace -r '^' 'file:'\n"
    "    else\n"
    "        string join \\n $argv\n"
    "    end\n"
    "end\n"
    "\n"
    "complete -c keystay -f\n";

static void put_word_list(const char *const *words)
{
    for (const char *const *word = words; *word != NULL; word++) {
        (void)printf("%s%s", word == words ? "" : " ", *word);
    }
}

static void put_option(const char *place, const struct complete_option *option)
{
    (void)printf("complete -c keystay -n '__keystay_at \"%s\"' -l %s", place, option->name);
    if (option->letter != 0) {
        (void)printf(" -s %c", option->letter);
    }
    if (option->with == COMPLETE_WORDS || option->with == COMPLETE_SOURCES) {
        (void)fputs(option->with == COMPLETE_WORDS ? " -x -a '" : " -x -a '(__keystay_sources ", stdout);
        put_word_list(option->words);
        (void)fputs(option->with == COMPLETE_WORDS ? "'" : ")'", stdout);
    } else if (option->metavar != NULL) {
        (void)fputs(answers[option->with], stdout);
    }
    (void)fputs(" -d ", stdout);
    complete_put_quoted(option->help);
    (void)putchar('\n');
}

static void put_options(const char *place, const struct command *command)
{
    struct complete_option options[COMPLETE_OPTIONS_MAX];
    const size_t n = complete_options(command, options);

    for (size_t i = 0; i < n; i++) {
        put_option(place, &options[i]);
    }
}

/* What may follow place, which is first or "help" before it. */
static void put_words(const char *place, const char *first)
{
    struct complete_word words[COMPLETE_WORDS_MAX];
    const size_t n = complete_words(first, words);

    for (size_t i = 0; i < n; i++) {
        (void)printf("complete -c keystay -n '__keystay_at \"%s\"' -a %s -d ", place, words[i].word);
        complete_put_quoted(words[i].summary);
        (void)putchar('\n');
    }
}

static void put_groups(void)
{
    struct complete_word words[COMPLETE_WORDS_MAX];
    const size_t n = complete_words("", words);
    char place[COMPLETE_WORD_SIZE + sizeof("help ")];

    put_options("", NULL);
    put_words("", "");
    put_words("help", "");
    for (size_t i = 0; i < n; i++) {
        if (cli_find_command(words[i].word) == NULL) {
            (void)snprintf(place, sizeof(place), "help %s", words[i].word);
            put_words(words[i].word, words[i].word);
            put_words(place, words[i].word);
        }
    }
}

/* The places, and the options before a command whose value is no place. */
static void put_lists(void)
{
    struct complete_word words[COMPLETE_WORDS_MAX];
    struct complete_option options[COMPLETE_OPTIONS_MAX];
    const size_t n = complete_words("", words);
    const size_t n_options = complete_options(NULL, options);

    (void)fputs("set -g __keystay_places", stdout);
    for (size_t i = 0; i < n; i++) {
        (void)printf(" %s 'help %s'", words[i].word, words[i].word);
    }
    for (size_t i = 0; i < cli_n_commands; i++) {
        (void)printf(" '%s' 'help %s'", cli_commands[i]->name, cli_commands[i]->name);
    }
    (void)fputs("\nset -g __keystay_waiting", stdout);
    for (size_t i = 0; i < n_options; i++) {
        if (options[i].metavar != NULL) {
            (void)printf(" --%s", options[i].name);
        }
    }
    (void)putchar('\n');
}

void completion_fish_put(void)
{
    (void)fputs(head, stdout);
    put_lists();
    put_groups();
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct command *command = cli_commands[i];
        const enum complete_with with = complete_argument(command);

        if (command == &command_help) {
            continue;
        }
        put_options(command->name, command);
        if (with != COMPLETE_NOTHING) {
            (void)printf(
                "complete -c keystay -n '__keystay_at \"%s\"'%s\n", command->name,
                with == COMPLETE_FILES ? " -F" : " -a '(__keystay_profiles)'");
        }
    }
}
