/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For bash: a table of what can stand at each place, and a function that walks along the line to it. The
 * names of profiles are whatever somebody wrote into a file: they are compared and quoted, never expanded.
 */
#include <stdio.h>

#include "cli/completion.h"

static const char *const marks[] = {
    [COMPLETE_FILES] = "@file",
    [COMPLETE_DIRECTORIES] = "@dir",
    [COMPLETE_PROFILES] = "@profile",
};

static const char head[] =
    "# bash completion for keystay, printed by: keystay completion bash\n"
    "\n"
    "# _keystay_table PLACE: sets options, each --NAME or --NAME=VALUES, and arguments, which are VALUES too: words,\n"
    "# @file, @dir, @profile, or nothing that can be guessed.\n"
    "_keystay_table()\n"
    "{\n"
    "    case $1 in\n";

static const char tail[] =
    "        'help '*)\n"
    "            options=()\n"
    "            arguments=''\n"
    "            ;;\n"
    "        *) return 1 ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# _keystay_values OPTION: sets values; status 1 if it takes none here.\n"
    "_keystay_values()\n"
    "{\n"
    "    local option\n"
    "    for option in \"${options[@]}\"; do\n"
    "        if [[ $option == \"$1\"=* ]]; then\n"
    "            values=${option#*=}\n"
    "            return 0\n"
    "        fi\n"
    "    done\n"
    "    return 1\n"
    "}\n"
    "\n"
    "# _keystay_offer: those of values that begin with cur, with lead before them.\n"
    "_keystay_offer()\n"
    "{\n"
    "    local word words=()\n"
    "    case $values in\n"
    "        @file)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            mapfile -t words < <(compgen -f -- \"$cur\")\n"
    "            ;;\n"
    "        @dir)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            mapfile -t words < <(compgen -d -- \"$cur\")\n"
    "            ;;\n"
    "        @profile)\n"
    "            while read -r word _; do\n"
    "                [[ $word == \"$cur\"* ]] && printf -v word '%q' \"$word\" && words+=(\"$word\")\n"
    "            done < <(command keystay \"${config[@]}\" profile list 2>/dev/null)\n"
    "            ;;\n"
    "        *)\n"
    "            for word in $values; do\n"
    "                [[ $word == \"$cur\"* ]] && words+=(\"$word\")\n"
    "            done\n"
    "            [[ ${#words[@]} == 1 && ${words[0]} == *: ]] && compopt -o nospace 2>/dev/null\n"
    "            ;;\n"
    "    esac\n"
    "    COMPREPLY=(\"${words[@]/#/$lead}\")\n"
    "}\n"
    "\n"
    "# bash cuts words at '=' and ':': the line is read anew, and what it has cut off is left out of the answers.\n"
    "_keystay()\n"
    "{\n"
    "    local line=${COMP_LINE:0:COMP_POINT} IFS=$' \\t\\n' last='(([^[:space:]\\]|\\\\.)*)$'\n"
    "    local full cur breaks=${COMP_WORDBREAKS//[^=:]/}\n"
    "    local place='' waiting='' lead='' word words options arguments values config=()\n"
    "    [[ $line =~ $last ]]\n"
    "    full=${BASH_REMATCH[1]}\n"
    "    cur=${full//\\\\/}\n"
    "    read -ra words <<<\"${line%\"$full\"}\"\n"
    "    COMPREPLY=()\n"
    "    _keystay_table ''\n"
    "    for word in \"${words[@]:1}\"; do\n"
    "        if [[ $waiting ]]; then\n"
    "            [[ $waiting == --config ]] && config=(--config \"$word\")\n"
    "            waiting=''\n"
    "        elif [[ $word == --config=* ]]; then\n"
    "            config=(\"$word\")\n"
    "        elif [[ $word == -* ]]; then\n"
    "            _keystay_values \"$word\" && waiting=$word\n"
    "        elif _keystay_table \"${place:+$place }$word\"; then\n"
    "            place=${place:+$place }$word\n"
    "        fi\n"
    "    done\n"
    "    if [[ $waiting ]]; then\n"
    "        _keystay_values \"$waiting\"\n"
    "    elif [[ $cur == --*=* ]]; then\n"
    "        _keystay_values \"${cur%%=*}\" || return\n"
    "        lead=${cur%%=*}=\n"
    "        cur=${cur#*=}\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        values=\"${options[*]/=*/}\"\n"
    "    else\n"
    "        values=$arguments\n"
    "    fi\n"
    "    if [[ $values == file:* && $cur == file:* ]]; then\n"
    "        lead+=file:\n"
    "        cur=${cur#file:}\n"
    "        values=@file\n"
    "    fi\n"
    "    _keystay_offer\n"
    "    if [[ $breaks ]]; then\n"
    "        word=${full%\"${full##*[\"$breaks\"]}\"}\n"
    "        COMPREPLY=(\"${COMPREPLY[@]#\"$word\"}\")\n"
    "    fi\n"
    "}\n"
    "\n"
    "complete -F _keystay keystay\n";

static void put_values(const struct complete_option *option)
{
    if (option->metavar == NULL) {
        return;
    }
    (void)putchar('=');
    if (option->with == COMPLETE_WORDS || option->with == COMPLETE_SOURCES) {
        for (const char *const *word = option->words; *word != NULL; word++) {
            (void)printf("%s%s", word == option->words ? "" : " ", *word);
        }
    } else if (option->with != COMPLETE_NOTHING) {
        (void)fputs(marks[option->with], stdout);
    }
}

static void put_options(const struct command *command)
{
    struct complete_option options[COMPLETE_OPTIONS_MAX];
    const size_t n = complete_options(command, options);

    (void)fputs("            options=(\n", stdout);
    for (size_t i = 0; i < n; i++) {
        (void)printf("                '--%s", options[i].name);
        put_values(&options[i]);
        (void)fputs("'\n", stdout);
        if (options[i].letter != 0) {
            (void)printf("                '-%c'\n", options[i].letter);
        }
    }
    (void)fputs("            )\n", stdout);
}

static void put_words(const char *first)
{
    struct complete_word words[COMPLETE_WORDS_MAX];
    const size_t n = complete_words(first, words);

    (void)fputs("            arguments='", stdout);
    for (size_t i = 0; i < n; i++) {
        (void)printf("%s%s", i == 0 ? "" : " ", words[i].word);
    }
    (void)fputs("'\n            ;;\n", stdout);
}

static void put_groups(void)
{
    struct complete_word words[COMPLETE_WORDS_MAX];
    const size_t n = complete_words("", words);

    (void)fputs("        '')\n", stdout);
    put_options(NULL);
    put_words("");
    (void)fputs("        'help')\n            options=()\n", stdout);
    put_words("");
    for (size_t i = 0; i < n; i++) {
        if (cli_find_command(words[i].word) == NULL) {
            (void)printf("        '%s' | 'help %s')\n            options=()\n", words[i].word, words[i].word);
            put_words(words[i].word);
        }
    }
}

void completion_bash_put(void)
{
    (void)fputs(head, stdout);
    put_groups();
    for (size_t i = 0; i < cli_n_commands; i++) {
        const enum complete_with with = complete_argument(cli_commands[i]);

        if (cli_commands[i] == &command_help) {
            continue;
        }
        (void)printf("        '%s')\n", cli_commands[i]->name);
        put_options(cli_commands[i]);
        (void)printf(
            "            arguments='%s'\n            ;;\n", with == COMPLETE_NOTHING ? "" : marks[with]);
    }
    (void)fputs(tail, stdout);
}
