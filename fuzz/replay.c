/* SPDX-License-Identifier: MIT */
/* main() of a fuzz target without libFuzzer: gives it each file named on the command line, and each file of each
 * folder named there, once. So the corpora are replayed by `make check` with any compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long replayed;

static int replay_file(const char *path, const struct stat *st)
{
        FILE *file = fopen(path, "rb");
        if (!file) {
                perror(path);
                return -1;
        }
        /* Exactly as large as the input, so that a sanitizer sees a read one byte past its end. */
        size_t size = (size_t)st->st_size;
        uint8_t *data = malloc(size ? size : 1);
        if (!data) {
                perror(path);
                fclose(file);
                return -1;
        }
        size_t got = fread(data, 1, size, file);
        fclose(file);
        if (got == size) {
                LLVMFuzzerTestOneInput(data, size);
                replayed++;
        } else {
                fprintf(stderr, "%s: read %zu of %zu bytes\n", path, got, size);
        }
        free(data);
        return got == size ? 0 : -1;
}

static int replay(const char *path);

static int replay_folder(const char *path)
{
        DIR *dir = opendir(path);
        if (!dir) {
                perror(path);
                return -1;
        }
        int result = 0;
        struct dirent *entry;
        while ((entry = readdir(dir))) {
                char *name;
                if (entry->d_name[0] == '.')
                        continue;
                if (asprintf(&name, "%s/%s", path, entry->d_name) < 0) {
                        result = -1;
                        break;
                }
                if (replay(name) < 0)
                        result = -1;
                free(name);
        }
        closedir(dir);
        return result;
}

static int replay(const char *path)
{
        struct stat st;
        if (stat(path, &st) < 0) {
                perror(path);
                return -1;
        }
        return S_ISDIR(st.st_mode) ? replay_folder(path) : replay_file(path, &st);
}

int main(int argc, char **argv)
{
        int result = EXIT_SUCCESS;
        for (int i = 1; i < argc; i++) {
                if (replay(argv[i]) < 0)
                        result = EXIT_FAILURE;
        }
        printf("%lu inputs replayed\n", replayed);
        return result;
}
