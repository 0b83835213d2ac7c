/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

/*
 * What a shell may offer, read from the tables that the command line is parsed with, and the scripts that are
 * made of it. A place in the command line is "" before any command, the first word of "key list" after that
 * word, and the command then.
 */

#include "cli/cli.h"

enum complete_with {
    COMPLETE_NOTHING, /* a text that nobody can guess */
    COMPLETE_WORDS,
    COMPLETE_SOURCES, /* words, and a path behind "file:" */
    COMPLETE_FILES,
    COMPLETE_DIRECTORIES,
    COMPLETE_PROFILES,
};

struct complete_option {
    const char *name;
    const char *metavar; /* NULL: takes no value */
    const char *help;
    const char *const *words; /* of COMPLETE_WORDS and COMPLETE_SOURCES, NULL-terminated */
    enum complete_with with;
    char letter;  /* 0: none */
    bool is_list; /* may be given again */
};

enum {
    COMPLETE_OPTIONS_MAX = (int)CLI_OPTION_N + (int)SETTING_N,
    COMPLETE_WORDS_MAX = 64,
    COMPLETE_WORD_SIZE = 24,
};

/* A word that leads on from a place. */
struct complete_word {
    char word[COMPLETE_WORD_SIZE];
    const char *summary; /* "" for the first word of several commands */
};

/* The options of a command as its help lists them; NULL: those before any command. */
size_t complete_options(
    const struct command *command, struct complete_option ret_options[COMPLETE_OPTIONS_MAX]);

/* What its first argument is. */
enum complete_with complete_argument(const struct command *command);

/* The words behind first, "" or the first word of commands that have two, in the order of the table. */
size_t complete_words(const char *first, struct complete_word ret_words[COMPLETE_WORDS_MAX]);

/* Text between single quotes, as all three shells read it. */
void complete_put_quoted(const char *text);

/* Each prints the whole script. */
void completion_bash_put(void);
void completion_zsh_put(void);
void completion_fish_put(void);

#endif
