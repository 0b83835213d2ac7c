/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONFIG_TEXT_H
#define CORE_CONFIG_TEXT_H

/* The parts of reading a configuration file: who may have written it, its lines, and what they say. */

#include "base/buf.h"
#include "core/config.h"

/*
 * Appends the text of a file that only root and the effective user can have written. With must_exist false a
 * file that is missing, or in a folder that may not be searched, leaves *ret_is_there false.
 */
enum keystay_status config_load_text(
    const char *path, bool must_exist, bool *ret_is_there, struct buf *ret_text, struct keystay_error *err);

/*
 * Reads a text into file->sections; file->path is there, for the errors. The caller clears the sections, also
 * after a failure. KEYSTAY_E_CONFIG; values are not quoted back: one may be a secret.
 */
enum keystay_status config_parse(struct slice text, struct config_file *file, struct keystay_error *err);

void config_clear_sections(struct config_file *file);

/* The sections alone, without values; every line is one that libini_config may see. As config_parse. */
enum keystay_status config_scan(struct slice text, struct config_file *file, struct keystay_error *err);

/* Puts "FILE:LINE: " before an error, and returns its status. */
enum keystay_status config_at_line(
    const struct config_file *file, unsigned int line, enum keystay_status status, struct keystay_error *err);

#endif
