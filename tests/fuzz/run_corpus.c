/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds every file of a folder to a fuzz target, and a few inputs that no file can be: so the corpus is a
 * test anywhere. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { PATH_SIZE = 1024, INPUT_MAX = 1024 * 1024 };

static int run_file(const char *path)
{
    static uint8_t input[INPUT_MAX];
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = fread(input, 1, sizeof(input), file);
    (void)fclose(file);
    /* A copy of just that size: a read past the end is then seen by valgrind and the sanitizers. */
    uint8_t *exact = malloc(size == 0 ? 1 : size);
    MUST(exact != NULL);
    for (size_t i = 0; i < size; i++) {
        exact[i] = input[i];
    }
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    const struct dirent *entry = NULL;
    int n_files = 0;
    int n_failed = 0;

    if (dir == NULL) {
        (void)fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    while ((entry = readdir(dir)) != NULL) {
        char path[PATH_SIZE];
        struct stat info;

        (void)snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            n_files++;
            n_failed += run_file(path);
        }
    }
    (void)closedir(dir);
    (void)printf("%d inputs, %d could not be read\n", n_files, n_failed);
    return n_files == 0 || n_failed != 0;
}
