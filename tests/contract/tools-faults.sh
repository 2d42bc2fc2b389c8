#!/bin/bash
# Reading, writing, flushing and closing fail: the exit code says so, and no half of an object is seen.
set -u
# shellcheck source=tests/tools-functions.sh
. "$SRC_DIR/tests/tools-functions.sh"
requires "${CC:-gcc}"

head -c 3000000 /dev/urandom >source
mkdir dst
cp source store/object

# Standard output
for command in "ls $store" "stat $store/object" "cat $store/object" "hash $store/object" "help" "help put" "version" \
  "get $store/object -" "ls --json $store" "ping $store" "put -v source $store/verbose" "gc $store"; do
  # shellcheck disable=SC2086 # words
  expect 6 "$ROMA" $command >/dev/full
done
# Without standard output, input or error: their numbers go to nothing else.
expect 1 "$ROMA" cat "$store/object" >&-
says 'standard output: Bad file descriptor'
expect 1 "$ROMA" put - "$store/none" <&-
says 'Bad file descriptor'
[ ! -e store/none ] || fail "an object of an input that is none"
"$ROMA" put source "$store/none" <&- >&- 2>&- || fail "without the standard descriptors: exit code $?"
same source store/none
rm store/none
# A reader that has enough: no message, the end of a program without a reader
for command in "cat $store/object" "get $store/object -"; do
  # shellcheck disable=SC2086 # words
  { "$ROMA" $command 2>errors; echo $? >code; } | head -c 10 >/dev/null
  [ "$(cat code)" = 141 ] || fail "$command: exit code $(cat code) when its reader goes away"
  [ ! -s errors ] || fail "$command: $(cat errors)"
done

# A limit on the size of files
for command in "get $store/object dst/copy" "put source $store/limited" "cp $store/object $store/limited"; do
  got=0
  # shellcheck disable=SC2086 # words
  (ulimit -f 1000 && exec "$ROMA" $command) 2>errors || got=$?
  [ $got = 1 ] || fail "$command: exit code $got under a limit ($(cat errors))"
  absent "$command: half of an object is seen" dst/copy store/limited
  no_temporaries store dst
done

# Every kind of system call on a file that is being written or read
cat >shim.c <<'END'
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
/* FAIL_CALL fails for regular files below FAIL_UNDER: read (open for reading), write, sync or close (for writing). */
static int hit(int fd, const char *call)
{
        const char *wanted = getenv("FAIL_CALL"), *under = getenv("FAIL_UNDER");
        char link[64], path[4096];
        struct stat st;
        if (!wanted || !under || strcmp(wanted, call) != 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        int write_mode = (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
        if (write_mode != (strcmp(call, "read") != 0))
                return 0;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        if (n < 0)
                return 0;
        path[n] = 0;
        return strncmp(path, under, strlen(under)) == 0;
}
#define WRAP(ret, name, call, error, params, args)                                                                     \
        ret name params                                                                                                \
        {                                                                                                              \
                static ret(*next) params;                                                                              \
                if (!next)                                                                                             \
                        next = (ret(*) params)dlsym(RTLD_NEXT, #name);                                                 \
                if (hit(fd, call)) {                                                                                   \
                        if (strcmp(call, "close") == 0)                                                                \
                                next args;                                                                             \
                        errno = error;                                                                                 \
                        return -1;                                                                                     \
                }                                                                                                      \
                return next args;                                                                                      \
        }
#define P(...) (__VA_ARGS__)
WRAP(ssize_t, read, "read", EIO, P(int fd, void *b, size_t n), P(fd, b, n))
WRAP(ssize_t, pread, "read", EIO, P(int fd, void *b, size_t n, off_t o), P(fd, b, n, o))
WRAP(ssize_t, pread64, "read", EIO, P(int fd, void *b, size_t n, off64_t o), P(fd, b, n, o))
WRAP(ssize_t, readv, "read", EIO, P(int fd, const struct iovec *v, int n), P(fd, v, n))
WRAP(ssize_t, preadv, "read", EIO, P(int fd, const struct iovec *v, int n, off_t o), P(fd, v, n, o))
WRAP(ssize_t, preadv64, "read", EIO, P(int fd, const struct iovec *v, int n, off64_t o), P(fd, v, n, o))
WRAP(ssize_t, preadv2, "read", EIO, P(int fd, const struct iovec *v, int n, off_t o, int f), P(fd, v, n, o, f))
WRAP(ssize_t, preadv64v2, "read", EIO, P(int fd, const struct iovec *v, int n, off64_t o, int f), P(fd, v, n, o, f))
WRAP(ssize_t, write, "write", ENOSPC, P(int fd, const void *b, size_t n), P(fd, b, n))
WRAP(ssize_t, pwrite, "write", ENOSPC, P(int fd, const void *b, size_t n, off_t o), P(fd, b, n, o))
WRAP(ssize_t, pwrite64, "write", ENOSPC, P(int fd, const void *b, size_t n, off64_t o), P(fd, b, n, o))
WRAP(ssize_t, writev, "write", ENOSPC, P(int fd, const struct iovec *v, int n), P(fd, v, n))
WRAP(ssize_t, pwritev, "write", ENOSPC, P(int fd, const struct iovec *v, int n, off_t o), P(fd, v, n, o))
WRAP(ssize_t, pwritev64, "write", ENOSPC, P(int fd, const struct iovec *v, int n, off64_t o), P(fd, v, n, o))
WRAP(int, fsync, "sync", EIO, P(int fd), P(fd))
WRAP(int, fdatasync, "sync", EIO, P(int fd), P(fd))
WRAP(int, close, "close", EIO, P(int fd), P(fd))
END
${CC:-gcc} -D_GNU_SOURCE -include stdio.h -shared -fPIC -o shim.so shim.c -ldl || fail "the shim does not compile"

# shimmed CODE CALL FOLDER COMMAND...
shimmed() {
  local code=$1 call=$2 under=$3
  shift 3
  expect "$code" env LD_PRELOAD="$SCRATCH/shim.so" ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
    FAIL_CALL="$call" FAIL_UNDER="$SCRATCH/$under" "$ROMA" "$@"
}

shimmed 0 none store get "$store/object" dst/copy
same source dst/copy
rm dst/copy
for way in "put source $store/new" "cp $store/object $store/new" "get $store/object dst/new" "cp -r $store/object dst/new"; do
  case $way in *dst*) to=dst ;; *) to=store ;; esac
  # shellcheck disable=SC2086 # words
  for call in write close; do
    case $call in write) code=6 ;; close) code=1 ;; esac
    shimmed $code $call $to $way
    absent "$way: $call failed" store/new dst/new
    no_temporaries store dst
  done
done
mkdir in
cp source in/source
for way in "put in/source $store/new" "get file://$SCRATCH/in/source dst/new" "cp file://$SCRATCH/in/source $store/new"; do
  # shellcheck disable=SC2086 # words
  shimmed 1 read in $way
  absent "$way: reading failed" store/new dst/new
  no_temporaries store dst
done
shimmed 1 read in cat "file://$SCRATCH/in/source" >/dev/null
shimmed 1 read in hash "file://$SCRATCH/in/source" >out
[ ! -s out ] || fail "a digest of what could not be read: $(cat out)"
# mv must not remove a source whose copy failed.
shimmed 6 write dst mv "$store/object?stall=40s" dst/moved
same source store/object
expect 6 "$ROMA" ls --trace /dev/full "$store" >/dev/null
says /dev/full

# Denied
if [ "$(id -u)" != 0 ]; then
  mkdir store/locked
  chmod 500 store/locked
  expect 4 "$ROMA" put source "$store/locked/x"
  chmod 700 store/locked
fi
expect 3 "$ROMA" get "$store/object" dst/none/x
