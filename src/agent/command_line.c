/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/command_line.h"

#include <getopt.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "base/suggest.h"

static const char help[] =
    "Usage: keystay-agent [OPTION...]\n"
    "\n"
    "Keeps keys logged in, and gives access tokens to the programs of this machine that may have\n"
    "them: over a Unix socket, and to Azure's SDKs as a managed identity. It serves until it gets\n"
    "SIGTERM; SIGHUP has it read its configuration again.\n"
    "\n"
    "It is rarely started by this name:\n"
    "  keystay agent run                                     for yourself, in the foreground\n"
    "  systemctl --user enable --now keystay-agent.socket    for yourself, as a service\n"
    "  systemctl enable --now keystay-agent.socket           for this machine\n"
    "  keystay agent status                                  shows how it is\n"
    "\n"
    "Options:\n"
    "  -c, --config FILE          read this configuration file instead of the usual ones\n"
    "  -v, --verbose              say each step on stderr\n"
    "  -h, --help                 print this\n"
    "  -V, --version              print the version\n"
    "\n"
    "Exit status: 0 it was ended, 2 usage, 3 configuration, 70 internal; keystay(1) has more.\n"
    "keystay-agent(8) explains it, keystay.conf(5) the configuration.\n";

static const char version[] = "keystay-agent " KEYSTAY_VERSION "\n";
static const char hint_help[] = "keystay-agent --help";

static const struct option options[] = {
    { "config", required_argument, NULL, 'c' }, { "verbose", no_argument, NULL, 'v' },
    { "help", no_argument, NULL, 'h' },         { "version", no_argument, NULL, 'V' },
    { "for-command", no_argument, NULL, 'f' },  { NULL, 0, NULL, 0 },
};
static const char *const names[] = { "config", "verbose", "help", "version", NULL };

/* Only what stands before '=' is quoted: the rest may be a secret that went astray. */
static enum keystay_status say_unknown(const char *word, struct keystay_error *err)
{
    char name[64];

    str_quote_foreign((struct slice){ (const uint8_t *)word, strcspn(word, "=") }, name, sizeof(name));
    const char *near = str_has_prefix(name, "--") ? suggest_nearest(name + 2, names) : NULL;
    (void)err_set_hint(err, KEYSTAY_E_USAGE, hint_help, "there is no option %s", name);
    return near == NULL ? KEYSTAY_E_USAGE : err_hint(err, KEYSTAY_E_USAGE, "did you mean --%s?", near);
}

static enum keystay_status take(
    int option, const char *word, struct command_line *line, struct keystay_error *err)
{
    switch (option) {
    case 'c':
        line->config_path = optarg;
        return KEYSTAY_OK;
    case 'v':
        line->is_verbose = true;
        return KEYSTAY_OK;
    case 'f':
        line->is_for_command = true;
        return KEYSTAY_OK;
    case 'h':
        line->print = help;
        return KEYSTAY_OK;
    case 'V':
        line->print = line->print == NULL ? version : line->print;
        return KEYSTAY_OK;
    case ':':
        return err_set_hint(err, KEYSTAY_E_USAGE, hint_help, "%.60s wants a value", word);
    default:
        return say_unknown(word, err);
    }
}

enum keystay_status command_line_read(
    int argc, char **argv, struct command_line *ret_line, struct keystay_error *err)
{
    struct command_line line = { 0 };
    char word[64];
    int at = 1;

    opterr = 0;
    for (;;) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread is started */
        const int option = getopt_long(argc, argv, "+:c:vhV", options, NULL);

        if (option == -1) {
            break;
        }
        TRY(take(option, argv[at], &line, err));
        at = optind;
    }
    if (optind < argc) {
        str_quote_foreign(slice_of_str(argv[optind]), word, sizeof(word));
        return err_set_hint(
            err, KEYSTAY_E_USAGE, hint_help, "%s: keystay-agent takes nothing but options", word);
    }
    *ret_line = line;
    return KEYSTAY_OK;
}
