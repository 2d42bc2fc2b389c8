/* SPDX-License-Identifier: MIT */
/* peak COMMAND...: runs it, then prints its peak resident size in KiB and the most threads it was seen to have. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static long threads_of(pid_t pid)
{
        char path[64], line[256];
        long n = 0;
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
        f = fopen(path, "re");
        while (f && fgets(line, sizeof line, f))
                if (sscanf(line, "Threads: %ld", &n) == 1)
                        break;
        if (f)
                fclose(f);
        return n;
}

int main(int argc, char **argv)
{
        struct rusage u;
        long threads = 0, now;
        int status;
        pid_t pid;

        if (argc < 2)
                return 2;
        pid = fork();
        if (pid == 0) {
                execvp(argv[1], argv + 1);
                _exit(127);
        }
        while (waitpid(pid, &status, WNOHANG) == 0) {
                now = threads_of(pid);
                threads = now > threads ? now : threads;
                usleep(2000);
        }
        getrusage(RUSAGE_CHILDREN, &u);
        printf("%ld %ld\n", u.ru_maxrss, threads);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
