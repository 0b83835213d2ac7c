/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/out.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

static enum keystay_status exists_already(const char *path, struct keystay_error *err)
{
    return err_set_hint(
        err, KEYSTAY_E_USAGE, "name another file, or remove that one first", "'%s' exists already", path);
}

enum keystay_status out_check(const struct cli *cli, struct keystay_error *err)
{
    return cli_given(cli, CLI_OUT) && access(cli->values[CLI_OUT], F_OK) == 0
               ? exists_already(cli->values[CLI_OUT], err)
               : KEYSTAY_OK;
}

enum keystay_status out_write(const struct cli *cli, struct slice content, struct keystay_error *err)
{
    const char *path = cli->values[CLI_OUT];

    if (path == NULL) {
        return file_write_all(STDOUT_FILENO, content, err);
    }
    CLEANUP(file_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) {
        return exists_already(path, err);
    }
    if (fd < 0) {
        const int number = errno;

        (void)err_set(err, KEYSTAY_E_OUTPUT, "cannot write '%s': %s", path, file_errno_text(number));
        return file_hint(path, number, KEYSTAY_E_OUTPUT, err);
    }
    return file_write_all(fd, content, err);
}
