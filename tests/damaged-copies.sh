#!/bin/bash
# roma chunks and roma salvage against servers in memory whose disks or memory are bad: what is read is shown, what is not is said,
# and a salvage that does not come to its end leaves nothing that could be taken for a result.
set -u -o pipefail
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
roma=$BUILD_DIR/roma peer=$BUILD_DIR/tests/faults/peer-file
[ -x "$roma" ] || skip "the program is not built"
[ -x "$peer" ] || skip "this roma was built without MooseFS"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || fail "no scratch folder"
export roma
unset NO_COLOR

# at CODE WORDS COMMAND: with bash, as a client of a cluster with the file `data`.
at() {
  local code=0
  # shellcheck disable=SC2086 # words
  force=${force:-} timeout 60 "$peer" data $2 -- bash -uc "$3" >out 2>err || code=$?
  [[ $code =~ ^$1$ ]] || fail "exit code $code, not $1, of: $3 ($2): $(cat out err)"
}
says() { grep -qF -- "$1" out || fail "'$1' is not said: $(cat out err)"; }
complains() { grep -qF -- "$1" err || fail "'$1' is not complained of: $(cat out err)"; }
hidden() { find . -name '.roma~*' | grep -q . && fail "hidden files are left: $(ls -A)"; }

# 40 blocks, of which 10 to 19 are zeros.
head -c $((40 * 65536 - 777)) /dev/urandom >data
dd if=/dev/zero of=data bs=65536 seek=10 count=10 conv=notrunc status=none
size=$(stat -c %s data)

# ---- chunks -------------------------------------------------------------------------------------------------

# shellcheck disable=SC2016 # the variables are those of the client
{
  at 0 '' '"$roma" chunks "$ROMA_PEER_URI"'
  says "version 1  $size bytes  127.0.0.1:"
  at 0 '' '"$roma" chunks --json "$ROMA_PEER_URI"'
  says "\"version\":1,\"size\":$size,"
  # Without --deep no data are read, and it is said so.
  at 0 rot=1:200000 '"$roma" chunks --picture "$ROMA_PEER_URI"'
  says '  # same  . zeros  D differs  z zeros, others have data'
  says 'no data were read: --deep also finds blocks whose CRC is bad'
  [ "$(grep -c ' ##########\.\.\.\.\.\.\.\.\.\.####################$' out)" = 2 ] || fail "the picture: $(cat out)"
  at 0 '' '"$roma" chunks --deep "$ROMA_PEER_URI"'
  [ "$(grep -c ', all read$' out)" = 2 ] || fail "what was read is not said: $(cat out)"
  # One bad block: what comes behind it is left alone, since a second one could cost the disk. The other copy is read.
  at 7 rot=1:200000 '"$roma" chunks --deep --picture "$ROMA_PEER_URI"'
  says ' ###!????????????????????????????????????'
  says ' ##########..........####################'
  says ', the same, 1 CRC BAD, 36 not read'
  says '  ! CRC bad  ? not read'
  complains 'has 1 block that does not match the checksum kept with it'
  complains '36 blocks not read: its server had a CRC error'
  ! grep -q -P '\x1b' out || fail "colour where there is no terminal: $(cat -v out)"
  awk 'length > 80 && (/^  / && !/version/)' out | grep -q . && fail "the picture is wider than 80: $(cat out)"
  # At one's own risk all is read, also the second one.
  at 7 'rot=1:200000 rot=1:1700000' '"$roma" chunks --deep --error-gap 0 --picture "$ROMA_PEER_URI"'
  says ' ###!######..........#####!##############'
  says ', 2 CRC BAD'
  at 7 'rot=1:200000 rot=1:1700000' '"$roma" chunks --deep --error-gap 0 --json "$ROMA_PEER_URI"'
  says '"damaged_blocks":[3,25],"unread_blocks":0'
  says '"damaged_blocks":[],"unread_blocks":0'
}
# On a terminal of 80 columns.
if command -v script >/dev/null; then
  # shellcheck disable=SC2016
  at 7 rot=0:200000 'script -qec "stty cols 80; $roma chunks --deep $ROMA_PEER_URI" /dev/null'
  grep -q -P '###\x1b\[1;37;41m!\x1b\[0m\x1b\[36m\?+\x1b\[0m' out || fail "no colours on a terminal: $(cat -v out)"
fi
echo "chunks shows sizes and what was read"

# ---- a server whose bytes change ----------------------------------------------------------------------------

# shellcheck disable=SC2016
{
  # Whatever is asked for first, a block that never stays the same is not asked for without end, and the steady copy is taken.
  for restless in 1 2; do
    at '[01]' restless=$restless '"$roma" salvage -f --error-gap 0 "$ROMA_PEER_URI" saved'
    cmp -s data saved || fail "the copy that is steady was not taken"
    at 0 restless=$restless '"$roma" salvage -f --error-gap 0 --against data "$ROMA_PEER_URI" saved'
    cmp -s data saved || fail "the copy that is as the original was not taken"
  done
  # No other has the block: one of the bytes that came, and it is called that.
  at 1 'copies=1 restless=1 restless=2' '"$roma" salvage -f --error-gap 0 "$ROMA_PEER_URI" saved'
  [ "$(cmp -l data saved | wc -l)" -le 30 ] || fail "more differs than what was disturbed"
  awk -F '\t' '!/^#/ { n[$3] += $2 } END { exit !(n["certain"] == 655360 && n["chosen"] == '$((size - 655360))') }' saved.map ||
    fail "the map: $(cat saved.map)"
  [ "$(grep -c 'chosen.*unstable: its server gives other bytes at each read$' saved.map)" = 2 ] || fail "the map: $(cat saved.map)"
}
echo "a server whose bytes change ends no salvage and makes nothing certain"

# ---- an MD5 that contradicts --------------------------------------------------------------------------------

# Copies that agree, and are not the original: where they differ from it nobody knows, so nothing is certain, and each byte
# is counted once.
# shellcheck disable=SC2016
for words in '' 'rot=1:200000'; do
  at 1 "$words" '"$roma" salvage -f --error-gap 0 --against 00112233445566778899aabbccddeeff "$ROMA_PEER_URI" saved'
  says ": $size bytes: 0 certain, $size chosen, 0 lost; see saved.map"
  cmp -s data saved || fail "other bytes were taken"
  awk -F '\t' -v size="$size" '!/^#/ { n += $2; if ($3 != "chosen" || $5 == "-" || NF != 5) exit 1 } END { exit n != size }' saved.map ||
    fail "the map: $(cat saved.map)"
  grep -q '^# roma salvage 1$' saved.map || fail "the map has no head: $(cat saved.map)"
  grep -q '^# the MD5 is not that of the original' saved.map || fail "the map does not say why: $(cat saved.map)"
  hidden
done
echo "with an MD5 that contradicts nothing is certain"

# ---- erasure coded chunks -----------------------------------------------------------------------------------

# shellcheck disable=SC2016
{
  at 0 parts=4 '"$roma" chunks --deep --error-gap 0 "$ROMA_PEER_URI"'
  [ "$(grep -c ' part 1[0-4], valid .*, all read$' out)" = 5 ] || fail "the parts: $(cat out)"
  at 0 parts=8 '"$roma" salvage -f --error-gap 0 --against data "$ROMA_PEER_URI" saved'
  cmp -s data saved || fail "the parts were not put together"
  # A length inside a block, which has no checksum of its own.
  for length in 100000 65536 1 $((size - 1)); do
    for parts in '' parts=4; do
      at 0 "$parts" '"$roma" salvage -f --error-gap 0 --against data --length '$length' "$ROMA_PEER_URI" saved'
      cmp -s <(head -c $length data) saved || fail "$length bytes were not put together ($parts)"
    done
  done
  # What is not as the original is not certain, and just that.
  cp data other
  printf x | dd of=other bs=1 seek=99990 conv=notrunc status=none
  at 1 parts=4 '"$roma" salvage -f --error-gap 0 --against other --length 100000 "$ROMA_PEER_URI" saved'
  [ "$(grep -v '^#' saved.map | cut -f 1-3)" = $'0\t65536\tcertain\n65536\t34464\tchosen' ] || fail "the map: $(cat saved.map)"
  at 0 parts=4 '"$roma" salvage -f --error-gap 0 --against other --length 99990 "$ROMA_PEER_URI" saved'
}
echo "a length inside a block is as certain as the block"

# ---- what does not come to its end --------------------------------------------------------------------------

# nothing WHAT: neither file nor map, nor parts of them.
nothing() {
  hidden
  [ ! -e broken ] || fail "$1 left a file"
  [ ! -e broken.map ] || fail "$1 left a map: $(cat broken.map)"
}
# The first 10 blocks come, then the server stands still.
# shellcheck disable=SC2016
interrupted='
  env --default-signal=INT "$roma" salvage $force --error-gap 0 "$ROMA_PEER_URI" broken &
  until [ -n "$(find . -name ".roma~*" -size +600k)$(find . -name broken -newer start -size +600k)" ]; do sleep 0.1; done
  kill -INT $!
  wait $!'
touch start
force='' at 130 'copies=1 script=cs+CSTOCL_READ_DATA+15+hang' "$interrupted"
nothing Ctrl-C
# Under a limit of 300 KiB for a file.
# shellcheck disable=SC2016
at 2 '' 'trap "" XFSZ; ulimit -f 300; "$roma" salvage --error-gap 0 "$ROMA_PEER_URI" broken'
nothing "a full disk"
complains 'broken was not made'
# What was there before is there still, with its own map.
echo older >broken
echo "of it" >broken.map
force=-f at 130 'copies=1 script=cs+CSTOCL_READ_DATA+15+hang' "$interrupted"
hidden
[ "$(cat broken broken.map)" = $'older\nof it' ] || fail "Ctrl-C replaced what was there"
# shellcheck disable=SC2016
{
  at 2 '' '"$roma" salvage --error-gap 0 "$ROMA_PEER_URI" broken'
  complains 'broken: it exists (-f replaces it)'
  # A link stays one, and what it leads to is replaced.
  ln -s broken link
  at 0 '' '"$roma" salvage -f --error-gap 0 "$ROMA_PEER_URI" link'
  [ -L link ] || fail "a link was replaced"
  cmp -s data broken || fail "what a link leads to was not replaced"
  ln -s /dev/null device
  at 2 '' '"$roma" salvage -f --error-gap 0 "$ROMA_PEER_URI" device'
  complains 'is not a regular file'
  hidden
}
echo "a salvage that does not come to its end leaves nothing that says more than is known"

# ---- a server that hangs -------------------------------------------------------------------------------------

# A server that hangs is asked twice, whatever is to be known of it, and not for longer than --stall.
hanging=script=cs1+ANTOCS_GET_CHUNK_BLOCKS+1+hang
# shellcheck disable=SC2016
at 2 $hanging '"$roma" diagnose --stall 1s --trace trace "$ROMA_PEER_URI"'
says ': cannot tell: '
says 'could not be looked at: '
unanswered=$(grep 'replica crcs' trace | grep -c TIMEDOUT)
[ "$unanswered" = 2 ] || fail "$unanswered questions without an answer: $(grep 'replica crcs' trace)"
if command -v script >/dev/null; then
  # shellcheck disable=SC2016
  at 2 $hanging 'script -qec "$roma diagnose --stall 1s $ROMA_PEER_URI" /dev/null'
  says ' does not answer; it is asked once more'
  says ' does not answer; it is left alone for a minute'
fi
echo "a server that hangs is left alone"

# ---- what is said of it --------------------------------------------------------------------------------------

# shellcheck disable=SC2016
{
  # Without --deep the data were not read: a copy that has rotted is "clean" too.
  at 0 rot=1:200000 '"$roma" diagnose "$ROMA_PEER_URI"'
  says ': clean: ' && says ' 2 copies by their checksums, data not read'
  at 0 '' '"$roma" diagnose --deep "$ROMA_PEER_URI"'
  grep -q ': clean: .* 2 copies$' out || fail "data were read: $(cat out)"
  at 2 '' '"$roma" diagnose "${ROMA_PEER_URI%file}"'
  complains '; -r looks at the files of a folder'
  # A block that only one server has given is not waited for: the other, in whose disk there is peace, gives the rest.
  at 0 rot=1:200000 '"$roma" salvage -f "$ROMA_PEER_URI" saved'
  ! grep -q waiting err || fail "the other copy was not taken: $(cat err)"
}
at 2 '' "$roma diagnose --rate 10k x"
complains 'a whole number of bytes, also with K, M, G or T behind it'
at 2 '' "$roma diagnose --error-gap 1.5h x"
complains 'a whole number of seconds, or with ms, s, m, h or d behind it'
# shellcheck disable=SC2016
at 130 $hanging '
  env --default-signal=INT "$roma" diagnose --trace hangs "$ROMA_PEER_URI" &
  sleep 1
  kill -INT $!
  wait $!'
complains 'roma: diagnose: ended by Ctrl-C'
! grep -q 'temporaries' err || fail "diagnose makes none: $(cat err)"
echo "what was not read is not called more than that"
