#!/bin/bash
# Parts of a long file are not held: their bytes are read when they are sent, and read again when a try has failed. They are
# the file's bytes whatever goes wrong, and a file that changes meanwhile is never put.
set -u
# shellcheck source=tests/s3/functions.sh
. "$SRC_DIR/tests/s3/functions.sh"
local=$work/local mib=1048576
part=$((2 * mib))
created='<InitiateMultipartUploadResult><UploadId>UP1</UploadId></InitiateMultipartUploadResult>'
completed='<CompleteMultipartUploadResult><ETag>"y-3"</ETag></CompleteMultipartUploadResult>'

# start CASE: a file of three parts, the last one short, but not so short that it has not what a fault waits for: any part
# may be the first one
start() {
  begin "$1"
  rm -f "$local"
  head -c $((3 * part - 12345)) /dev/urandom >"$local"
  free_name
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$created"
}
good() {
  local _
  for _ in $(seq "$1"); do answer '@keep' 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''; done
}
complete() { answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$completed"; }
aborted() { for _ in 1 2 3; do answer 'HTTP/1.1 204 No Content' ''; done; }
send() { more="&part=$part&checksum=${2:-none}" go "$1" put --timing "$local" s3://b/kQUERY; }
arrived() { cat "$folder"/part.{1,2,3} | cmp -s - "$local" || fail "the server has other bytes than the file"; }
tries() { [ "$(grep -c '^PUT /b/k?partNumber=' "$folder/log")" = "$1" ] || fail "$(grep -c '^PUT /b/k?partNumber=' "$folder/log") tries of parts, not $1"; }
nothing_shown() {
  if grep -q '^POST /b/k?uploadId=' "$folder/log"; then fail "it was completed"; fi
  grep -q '^DELETE /b/k?uploadId=UP1 ' "$folder/log" || fail "the upload was not aborted"
}
# later COMMAND...: when the server has the parts, before it answers those that wait
later() {
  printf 'HTTP/1.1 204 No Content\n\n' >"$folder/last"
  (
    for _ in $(seq 600); do
      [ "$(grep -c '^PUT /b/k?partNumber=' "$work/log" 2>/dev/null)" = 3 ] && break
      sleep 0.05
    done
    "$@"
    : >"$folder/go"
  ) &
}
# failing_late: three answers that say that it has to be sent again
failing_late() { for _ in 1 2 3; do answer '@wait' 'HTTP/1.1 500 Internal Server Error' 'Content-Length: 0' ''; done; }

for sum in none md5 signed crc32; do
  start "three parts, checksum=$sum"
  good 3
  complete
  send 0 $sum
  arrived
  tries 3
done
grep -qi "^x-amz-checksum-crc32: " "$folder/log" || fail "no CRC-32 was sent"

for fault in '@drop' '@break 300000' '@break 2000000'; do
  start "a try ends: $fault"
  answer "$fault" 'HTTP/1.1 200 OK'
  good 3
  complete
  send 0
  arrived
  tries 4
done

start "a part is refused before it is read"
answer '@early' '@close' 'HTTP/1.1 503 Slow Down' 'Content-Length: 0' ''
good 3
complete
send 0
arrived

start "all parts fail twice"
for _ in 1 2 3 4 5 6; do answer 'HTTP/1.1 500 Internal Server Error' 'Content-Length: 0' ''; done
good 3
complete
send 0 md5
arrived
tries 9

start "nothing of the file is in memory"
sync "$local"
dd of="$local" oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null
cold=$(fincore -bnro RES "$local" 2>/dev/null)
good 3
complete
send 0
arrived
# Where there is a disk, some of it came from there.
if [ "$cold" = 0 ]; then grep -q '^disk .* [KM]iB ' "$folder/err" || fail "a worker has read nothing: $(cat "$folder/err")"; fi

# A checksum that is sent ahead of a part is computed by reading all of it. A slow disk is no stall meanwhile, one that hangs is.
cat >"$work/slow.c" <<'END'
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
/* A worker's read of SLOW_FILE takes SLOW_MS. */
static void wait_for(int fd)
{
        const char *file = getenv("SLOW_FILE"), *ms = getenv("SLOW_MS");
        char link[64], path[4096];
        ssize_t n;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof path - 1);
        if (!file || !ms || n < 0)
                return;
        path[n] = 0;
        if (strcmp(path, file) == 0)
                usleep((unsigned)atoi(ms) * 1000);
}
#define SLOW(name, off)                                                                                                \
        ssize_t name(int fd, void *b, size_t n, off o)                                                                 \
        {                                                                                                              \
                ssize_t (*next)(int, void *, size_t, off) = (ssize_t(*)(int, void *, size_t, off))dlsym(RTLD_NEXT, #name); \
                wait_for(fd);                                                                                          \
                return next(fd, b, n, o);                                                                              \
        }
SLOW(pread, off_t)
SLOW(pread64, off64_t)
END
name='the shim'
# shellcheck disable=SC2086 # words
${CC:-gcc} -D_GNU_SOURCE -include stdio.h -shared -fPIC -o "$work/slow.so" "$work/slow.c" -ldl || fail "it does not compile"
# slowly MS EXIT STALL
slowly() {
  export LD_PRELOAD=$work/slow.so SLOW_MS=$1 SLOW_FILE
  SLOW_FILE=$(readlink -f "$local")
  asan=${ASAN_OPTIONS:-}
  export ASAN_OPTIONS=$asan:verify_asan_link_order=0
  more="&part=$part&checksum=md5" go "$2" put --stall "$3" "$local" s3://b/kQUERY
  unset LD_PRELOAD SLOW_MS
  export ASAN_OPTIONS=$asan
}

# Eight reads of a part take longer than its stall time.
start "a slow disk"
good 3
complete
slowly 500 0 3s
arrived

start "a disk that hangs"
aborted
slowly 20000 5 1s
says "waiting for parts on their way, or the source"
nothing_shown

# shellcheck disable=SC2317 # by later
flip() { printf 'a changed byte' | dd of="$local" bs=1 seek="$1" conv=notrunc 2>/dev/null; }

for sum in none crc32; do
  start "another byte in a part that has to be sent again, checksum=$sum"
  failing_late
  good 3
  later flip $part
  send 7 $sum
  says "and then"
  nothing_shown
done

start "it shrinks before a part is sent again"
failing_late
good 3
later truncate -s $((part + 100)) "$local"
send 7
says "shrank while it was read"
nothing_shown

start "a byte changes that has been sent already"
for _ in 1 2 3; do answer '@keep' '@wait' 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''; done
aborted
later flip 10
send 7
says "changed while it was read"
nothing_shown

# A piece of a file as a part of an upload: nothing is sent before it has been read whole.

# piece CASE: a file; its piece begins and ends where nothing else does
piece() {
  begin "$1"
  rm -f "$local"
  head -c $((3 * part)) /dev/urandom >"$local"
}
upload() { # EXIT CHECKSUM
  more="&checksum=${2:-none}" go "$1" upload part --upload-id UP1 --part 1 --offset $((part - 7)) --length $((part + 99)) "$local" s3://b/kQUERY
}
piece_arrived() {
  tail -c +$((part - 6)) "$local" | head -c $((part + 99)) | cmp -s - "$folder/part.1" || fail "the server has other bytes than the file"
}
# once COMMAND...: when the server has the part, before it answers
once() {
  (
    for _ in $(seq 600); do
      grep -q '^PUT /b/k?partNumber=' "$work/log" 2>/dev/null && break
      sleep 0.05
    done
    "$@"
    : >"$folder/go"
  ) &
}

for sum in none md5 signed crc32; do
  piece "a piece of a file, checksum=$sum"
  good 1
  upload 0 $sum
  piece_arrived
  asked 1
done
for fault in '@drop' '@break 300000' '@early'; do
  piece "a piece of a file, again after $fault"
  answer "$fault" '@close' 'HTTP/1.1 503 Slow Down' 'Content-Length: 0' ''
  good 1
  upload 0 md5
  piece_arrived
done
piece "a piece changes before it is sent again"
answer '@wait' 'HTTP/1.1 500 Internal Server Error' 'Content-Length: 0' ''
good 3
once flip $((part + 1000))
upload 8
says "and then"
[ ! -e "$folder/part.1" ] || [ "$(stat -c %s "$folder/part.1")" -lt $((part + 99)) ] || fail "the server has a whole part"

piece "a piece that is not there"
truncate -s $part "$local"
good 1
upload 7
asked 0

# Of a long part no more is in memory than of a short one.
peak_of() { # MIB: sets kib
  begin "memory of a part of $1 MiB"
  rm -f "$local"
  truncate -s "$1M" "$local"
  answer 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''
  program=tests/integration/peak go 0 "$BUILD_DIR/roma" upload part --upload-id UP1 --part 1 "$local" s3://b/kQUERY
  kib=$(tail -n 1 "$folder/out" | cut -d' ' -f1)
}
if [ -x "$BUILD_DIR/tests/integration/peak" ]; then
  peak_of 8
  least=$kib
  peak_of 300
  [ "$kib" -lt $((least + 64 * 1024)) ] || fail "$kib KiB, and $least for one of 8 MiB"
fi

finish drawn
