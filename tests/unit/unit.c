/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' does not contain '%s'", text, part);
    }
}

void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("'%s' contains '%s'", text, part);
    }
}

void assert_slice(struct slice bytes, const char *text)
{
    if (!slice_equal(bytes, slice_of_str(text))) {
        fail_msg("'%.*s' is not '%s'", (int)bytes.len, (const char *)bytes.data, text);
    }
}

void assert_buf(const struct buf *buf, const char *text)
{
    assert_slice(buf_slice(buf), text);
}

void assert_tame(const char *text)
{
    assert_true(str_is_utf8(slice_of_str(text)));
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            fail_msg("'%s' holds the control character 0x%02X", text, (unsigned int)*at);
        }
    }
}

struct temp_file temp_file(struct slice content)
{
    struct temp_file file = { "/tmp/keystay-unit-XXXXXX" };
    int fd = mkstemp(file.path);

    assert_true(fd >= 0);
    assert_true(content.len == 0 || write(fd, content.data, content.len) == (ssize_t)content.len);
    assert_int_equal(close(fd), 0);
    return file;
}

void temp_file_remove(struct temp_file *file)
{
    (void)unlink(file->path);
}

int pipe_with(struct slice content)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_true(write(ends[1], content.data, content.len) == (ssize_t)content.len);
    assert_int_equal(close(ends[1]), 0);
    return ends[0];
}

int in_child_without_terminal(int (*fn)(void *context), void *context)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)setsid();
        (void)alarm(10);
        _exit(fn(context));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
