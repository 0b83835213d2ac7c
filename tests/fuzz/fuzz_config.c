/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration that is accepted has sections of known kinds, each once, and in them values that their
 * settings take, in the order of their lines; any of its profiles can be applied. What is refused names a
 * line or the file.
 */
#include "fuzz.h"

#include <string.h>

#include "base/str.h"
#include "core/config.h"
#include "core/config_text.h"

enum { INPUT_MAX = 64 * 1024 };

static void check_section(const struct config_section *section)
{
    unsigned int line = section->line;

    MUST((section->kind != CONFIG_PROFILE && section->kind != CONFIG_GRANT) || section->name[0] != '\0');
    MUST(strlen(section->name) <= CONFIG_NAME_MAX);
    for (size_t i = 0; i < section->n_values; i++) {
        MUST(section->values[i].id < section->table->n);
        MUST(
            setting_check_row(&section->table->rows[section->values[i].id], section->values[i].text, NULL) ==
            KEYSTAY_OK);
        MUST(section->values[i].line > line);
        line = section->values[i].line;
    }
}

static void check_accepted(const struct config *config)
{
    const struct config_file *file = &config->files[CONFIG_USER];

    for (size_t i = 0; i < file->n_sections; i++) {
        const struct config_section *section = &file->sections[i];
        struct keystay_profile *profile = NULL;

        check_section(section);
        MUST(config_section_item(config, section->kind, section->name).line == section->line);
        for (size_t k = 0; k < section->n_values; k++) {
            MUST(config_item(config, section->kind, section->name, section->values[k].id, 0).text != NULL);
        }
        MUST(keystay_profile_new(&profile, NULL) == KEYSTAY_OK);
        if (section->kind == CONFIG_PROFILE) {
            MUST(config_find(file, section->name) == section);
            MUST(config_apply(config, section->name, profile, NULL) == KEYSTAY_OK);
        }
        keystay_profile_free(profile);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config = { 0 };
    struct config_file *file = &config.files[CONFIG_USER];
    struct buf text = BUF(INPUT_MAX);
    struct keystay_error err = { 0 };

    if (size > INPUT_MAX) {
        return 0;
    }
    file->path = strdup("k.conf");
    MUST(file->path != NULL);
    MUST(buf_put(&text, (struct slice){ data, size }, NULL) == KEYSTAY_OK);
    if (config_parse(buf_slice(&text), file, &err) == KEYSTAY_OK) {
        check_accepted(&config);
    } else {
        MUST(err.status == KEYSTAY_E_CONFIG);
        MUST(str_has_prefix(err.message, "k.conf:"));
    }
    config_clear(&config);
    buf_clear(&text);
    return 0;
}
