/* SPDX-License-Identifier: MIT */
/* The floor under any client that reads: receive BYTES from a loopback socket and compute their CRC-32. The sender is
 * another process, whose CPU is not counted, as the servers' is not.
 *   floor BYTES */
#include <arpa/inet.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"

enum { BLOCK = 65536 };

static void send_all(int s, uint64_t bytes)
{
        char *block = calloc(1, BLOCK);

        while (bytes) {
                ssize_t n = send(s, block, bytes < BLOCK ? bytes : BLOCK, MSG_NOSIGNAL);

                if (n <= 0)
                        _exit(1);
                bytes -= (uint64_t)n;
        }
        _exit(0);
}

static int listener(struct sockaddr_in *a)
{
        socklen_t len = sizeof *a;
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        memset(a, 0, sizeof *a);
        a->sin_family = AF_INET;
        a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (s < 0 || bind(s, (struct sockaddr *)a, len) < 0 || listen(s, 1) < 0 ||
            getsockname(s, (struct sockaddr *)a, &len) < 0) {
                perror("socket");
                exit(1);
        }
        return s;
}

int main(int argc, char **argv)
{
        uint64_t bytes = argc == 2 ? strtoull(argv[1], NULL, 10) : 0, left = bytes;
        struct sockaddr_in a;
        int l = listener(&a), s;
        char *block = malloc(BLOCK);
        uint32_t crc = 0;
        double t, cpu;

        if (!bytes || !block) {
                fprintf(stderr, "usage: floor BYTES\n");
                return 2;
        }
        if (fork() == 0) {
                s = socket(AF_INET, SOCK_STREAM, 0);
                if (connect(s, (struct sockaddr *)&a, sizeof a) < 0)
                        _exit(1);
                send_all(s, bytes);
        }
        s = accept(l, NULL, NULL);
        t = bench_now();
        cpu = bench_cpu();
        while (left) {
                ssize_t n = recv(s, block, left < BLOCK ? left : BLOCK, MSG_WAITALL);

                if (n <= 0)
                        return 1;
                crc = libdeflate_crc32(crc, block, (size_t)n);
                left -= (uint64_t)n;
        }
        bench_report(bench_now() - t, bench_cpu() - cpu, bytes, 1);
        wait(NULL);
        free(block);
        return crc == 0;
}
