/* SPDX-License-Identifier: MIT */
/* A cluster in memory with one file, two copies of each chunk, and faults on its disks; a command is its client.
 *
 *      peer-file LOCAL [copies=N | parts=N | rot=COPY:OFFSET | restless=SERVER | script=LINE]... -- COMMAND...
 *
 * LOCAL becomes the file $ROMA_PEER_URI. parts: in erasure coded chunks, on servers of 4.59.2. rot: a bit of that copy (0 or 1) is flipped. restless: that chunkserver
 * gives other bytes at each read. script: a fault, see peer.h, with + for spaces. Ends as the command does. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "mfsproto/peer/peer.h"

extern char **environ;

static _Noreturn void die(const char *what, const char *why)
{
        fprintf(stderr, "peer-file: %s: %s\n", what, why);
        exit(98);
}

static unsigned char *read_file(const char *path, size_t *size)
{
        FILE *f = fopen(path, "rb");
        unsigned char *bytes;
        long end;

        if (!f || fseek(f, 0, SEEK_END) < 0 || (end = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) < 0)
                die(path, "cannot be read");
        *size = (size_t)end;
        bytes = malloc(*size + 1);
        if (!bytes || fread(bytes, 1, *size, f) != *size)
                die(path, "cannot be read");
        fclose(f);
        return bytes;
}

/* After the file is there. */
static void harm(struct mfs_peer *p, const char *word)
{
        unsigned copy;
        unsigned long long offset;
        char why[200], line[200];

        if (sscanf(word, "rot=%u:%llu", &copy, &offset) == 2) {
                if (!mfs_peer_rot(p, "file", copy, offset))
                        die(word, "nothing is there");
        } else if (!strncmp(word, "script=", 7)) {
                snprintf(line, sizeof(line), "%s", word + 7);
                for (char *c = line; (c = strchr(c, '+')) != NULL;)
                        *c = ' ';
                if (!mfs_peer_script(p, line, why, sizeof(why)))
                        die(word, why);
        } else if (strncmp(word, "restless=", 9) != 0 && strncmp(word, "copies=", 7) != 0 &&
                   strncmp(word, "parts=", 6) != 0) {
                die(word, "what is that");
        }
}

static int client(struct mfs_peer *p, char **command)
{
        char uri[100];
        int status;
        pid_t pid;

        snprintf(uri, sizeof(uri), "%sfile", mfs_peer_uri(p));
        if (setenv("ROMA_PEER_URI", uri, 1) < 0 ||
            posix_spawnp(&pid, command[0], NULL, NULL, command, environ) || waitpid(pid, &status, 0) != pid)
                die(command[0], "cannot be started");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 97;
}

int main(int argc, char **argv)
{
        struct mfs_peer_cfg cfg = { .servers = 2, .copies = 2 };
        unsigned char *bytes;
        struct mfs_peer *p;
        char why[200];
        size_t size;
        unsigned server;
        int end = 2, code;

        for (; end < argc && strcmp(argv[end], "--") != 0; end++)
                if (sscanf(argv[end], "restless=%u", &server) == 1)
                        cfg.restless |= 1u << server;
                else if (sscanf(argv[end], "parts=%u", &cfg.parts) == 1)
                        cfg.master_version = WIRE_VER(4, 59, 2);
                else
                        (void)sscanf(argv[end], "copies=%u", &cfg.copies);
        if (end + 1 >= argc)
                die("usage", "LOCAL [WORD]... -- COMMAND...");
        bytes = read_file(argv[1], &size);
        p = mfs_peer_new(&cfg, why, sizeof(why));
        if (!p)
                die("servers", why);
        if (!mfs_peer_plant(p, "file", bytes, size))
                die(argv[1], "cannot be planted");
        for (int i = 2; i < end; i++)
                harm(p, argv[i]);
        code = client(p, argv + end + 1);
        mfs_peer_free(p);
        free(bytes);
        return code;
}
