/* SPDX-License-Identifier: MIT */
/* A cluster in memory with one file, two copies of each chunk, and faults on its disks; a command is its client.
 *
 *      peer-file LOCAL [WORD]... -- COMMAND...
 *
 * LOCAL becomes the file $ROMA_PEER_URI. Ends as the command does. The words:
 *      copies=N            instead of 2
 *      parts=N             erasure coded chunks of 4.59.2, N + 1 parts on as many chunkservers (of 8 data parts the first has
 *                          two); part i is copy i
 *      servers=N           chunkservers, 1 to N
 *      rot=COPY:OFFSET     a bit of that copy, or part, is flipped
 *      restless=SERVER     that chunkserver gives other bytes at each read
 *      twice               its chunk is there a second time, behind the end of the first
 *      gone=SERVER         it is killed
 *      script=LINE         a fault, see peer.h, with + for spaces */
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
        unsigned copy, server;
        unsigned long long offset;
        char why[200], line[200];

        if (sscanf(word, "rot=%u:%llu", &copy, &offset) == 2) {
                if (!mfs_peer_rot(p, "file", copy, offset))
                        die(word, "nothing is there");
        } else if (!strcmp(word, "twice")) {
                if (!mfs_peer_repeat(p, "file"))
                        die(word, "nothing is there");
        } else if (!strncmp(word, "script=", 7)) {
                snprintf(line, sizeof(line), "%s", word + 7);
                for (char *c = line; (c = strchr(c, '+')) != NULL;)
                        *c = ' ';
                if (!mfs_peer_script(p, line, why, sizeof(why)))
                        die(word, why);
        } else if (sscanf(word, "gone=%u", &server) == 1) {
                mfs_peer_power(p, server, MFS_PEER_KILL);
        }
}

/* False: it is about what happens when the file is there. */
static bool configure(struct mfs_peer_cfg *cfg, const char *word)
{
        unsigned server;

        if (sscanf(word, "restless=%u", &server) == 1) {
                cfg->restless |= 1u << server;
        } else if (sscanf(word, "parts=%u", &cfg->parts) == 1) {
                cfg->master_version = WIRE_VER(4, 59, 2);
                cfg->servers = cfg->parts < MFS_PEER_SERVERS ? cfg->parts + 1 : MFS_PEER_SERVERS;
        } else if (sscanf(word, "servers=%u", &cfg->servers) != 1 &&
                   sscanf(word, "copies=%u", &cfg->copies) != 1) {
                return false;
        }
        return true;
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
        int end = 2, code;

        for (; end < argc && strcmp(argv[end], "--") != 0; end++)
                if (!configure(&cfg, argv[end]) && strncmp(argv[end], "rot=", 4) != 0 &&
                    strcmp(argv[end], "twice") != 0 && strncmp(argv[end], "gone=", 5) != 0 &&
                    strncmp(argv[end], "script=", 7) != 0)
                        die(argv[end], "what is that");
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
