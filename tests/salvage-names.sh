#!/bin/bash
# roma salvage when all has been read, and the source has changed, somebody has taken the name, or Ctrl-C comes while names are given:
# what was there stays or is replaced whole, and what was salvaged is not lost.
set -u -o pipefail
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
requires "${CC:-gcc}"
roma=$BUILD_DIR/roma peer=$BUILD_DIR/tests/faults/peer-file
[ -x "$roma" ] || skip "the program is not built"
[ -x "$peer" ] || skip "this roma was built without MooseFS"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || fail "no scratch folder"
export roma

says() { grep -qF -- "$1" out || fail "'$1' is not said: $(cat out err)"; }
complains() { grep -qF -- "$1" err || fail "'$1' is not complained of: $(cat out err)"; }
hidden() { ! find . -name '.roma~*' | grep -q . || fail "hidden files are left: $(ls -A) $(cat err)"; }
# salvage CODE WORDS [COMMAND]: with $options to `made`, in the environment $with; the command when the first 10 blocks are there.
salvage() {
  local code=0
  # shellcheck disable=SC2016,SC2086 # the variables are those of the client; words
  command=${3:-} with=${with:-} options=${options:-} timeout 60 "$peer" data $2 -- bash -uc '
    env --default-signal=INT $with "$roma" salvage $options --error-gap 0 "$ROMA_PEER_URI" made &
    [ -z "$command" ] || until [ -n "$(find . -name ".roma~*" -size +600k)" ]; do sleep 0.1; done
    eval "$command"
    wait $!' >out 2>err || code=$?
  [ $code = "$1" ] || fail "exit code $code, not $1, of a salvage ${options:-}, ${3:-}: $(cat out err)"
}
slow='copies=1 script=cs+CSTOCL_READ_DATA+15+delay+3000'

# Of the 40 blocks 10 to 19 are zeros: the 10 before them are read, and written, first.
head -c $((40 * 65536 - 777)) /dev/urandom >data
dd if=/dev/zero of=data bs=65536 seek=10 count=10 conv=notrunc status=none
size=$(stat -c %s data)

# kept N: the Nth hidden name that is told. Told and removed are all that are there.
kept() { grep '^roma: salvage: made is ' err | grep -o '/[^ ,;]*/\.roma~[0-9a-z]*' | sed -n "$1p"; }
earlier() {
  rm -f made made.map
  echo older >made
  echo "of it" >made.map
}
# The source goes while it is read. The file is made, and no map says anything of it.
# shellcheck disable=SC2016
gone='"$roma" rm "$ROMA_PEER_URI"'
rm -f made made.map
salvage 2 "$slow" "$gone"
complains 'nothing in made is certain, and it gets no map'
[ -s made ] || fail "no file of what changed"
[ ! -e made.map ] || fail "a map of what changed"
hidden
# What was there before is worth more than what is not certain.
earlier
options=-f salvage 2 "$slow" "$gone"
complains 'made is as it was'
[ "$(cat made made.map)" = $'older\nof it' ] || fail "what is not certain replaced what was there"
[ "$(stat -c %s "$(kept 1)")" = "$size" ] || fail "what was salvaged is not there: $(cat err)"
rm "$(kept 1)"
hidden
echo "what is not certain replaces nothing"

# Somebody else takes the name: what was salvaged stays, under a name that is told.
rm -f made made.map
salvage 2 "$slow" 'echo mine >made'
complains 'made is as it was'
[ "$(cat made)" = mine ] || fail "somebody's file was replaced"
[ ! -e made.map ] || fail "a map of somebody's file"
cmp -s data "$(kept 1)" || fail "what was salvaged is not there: $(cat err)"
grep -q '^0	.*	certain	' "$(kept 2)" || fail "its map is not there: $(cat err)"
rm "$(kept 1)" "$(kept 2)"
hidden
rm -f made
salvage 2 "$slow" 'echo mine >made.map'
complains 'made is there, and its map is /'
cmp -s data made || fail "what was salvaged is not there: $(cat err)"
[ "$(cat made.map)" = mine ] || fail "somebody's map was replaced"
grep -q '^0	.*	certain	' "$(kept 1)" || fail "its map is not there: $(cat err)"
rm "$(kept 1)"
hidden
echo "what was salvaged is not lost with its name"

# Ctrl-C while a name is given (the STOP_ATth), and a folder that is not written to its disk. The pause only gives Ctrl-C the time
# to be seen.
cat >shim.c <<'END'
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
        static int number;
        int (*next)(int, const char *, int, const char *) = dlsym(RTLD_NEXT, "renameat");
        const char *at = getenv("STOP_AT");

        if (at && !strncmp(from, ".roma~", 6) && ++number == atoi(at)) {
                kill(getpid(), SIGINT);
                usleep(300000);
        }
        return next(from_folder, from, to_folder, to);
}
/* All has been read. Under both names of the call. */
int ftruncate64(int fd, off64_t length)
{
        int (*next)(int, off64_t) = dlsym(RTLD_NEXT, "ftruncate64");
        const char *command = getenv("AT_LENGTH");

        if (command && system(command) != 0)
                _exit(96);
        return next(fd, length);
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
int fsync(int fd)
{
        int (*next)(int) = dlsym(RTLD_NEXT, "fsync");
        struct stat st;

        if (getenv("UNSAFE") && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
                errno = EIO;
                return -1;
        }
        return next(fd);
}
END
${CC:-gcc} -D_GNU_SOURCE -shared -fPIC -o shim.so shim.c -ldl || fail "the shim does not compile"
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0
# whole WHAT: file and map have their names, and no others.
whole() {
  cmp -s data made || fail "$1: the file is not there: $(ls -A) $(cat out err)"
  grep -q "^0	.*	certain	" made.map || fail "$1: its map is not there: $(cat out err)"
  hidden
}
for number in 1 2; do
  earlier
  with="LD_PRELOAD=./shim.so STOP_AT=$number" options=-f salvage 130 ''
  whole "Ctrl-C while name $number is given"
  says "$size certain, 0 chosen, 0 lost; see made.map"
done
earlier
with="LD_PRELOAD=./shim.so UNSAFE=1" options=-f salvage 2 ''
complains 'made is there, but may be gone after a power cut'
whole "a folder that is not safe"
echo "names that are being given are given"

# The MD5 of the original proves what was made, also when nobody can be asked any more.
# shellcheck disable=SC2016
AT_LENGTH='LD_PRELOAD= "$roma" rm "$ROMA_PEER_URI" >&2 && touch gone' with=LD_PRELOAD=./shim.so \
  options="-f --against $(md5sum <data | cut -c1-32)" salvage 0 copies=1
says ": $size certain, 0 chosen, 0 lost; see made.map"
grep -q '^# the MD5 is that of the original' made.map || fail "the map: $(cat made.map)"
cmp -s data made || fail "the original was not made"
hidden
[ -e gone ] || fail "the source was not removed"
echo "an MD5 that agrees proves all"
