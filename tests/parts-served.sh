#!/bin/bash
# roma diagnose and roma salvage of an erasure coded chunk whose parts are damaged or gone, at servers of our own.
set -u -o pipefail
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
roma=$BUILD_DIR/roma peer=$BUILD_DIR/tests/faults/peer-file
[ -x "$roma" ] || skip "the program is not built"
[ -x "$peer" ] || skip "this roma was built without MooseFS"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export roma
cd "$scratch" || fail "no scratch folder"
head -c $((37 * 65536 - 777)) /dev/urandom >data

# Part i is on chunkserver i + 1.
# run CODE 'COMMAND' [DAMAGE...]
run() {
  local want=$1 command=$2 code=0
  shift 2
  rm -f saved saved.map
  timeout 60 "$peer" data parts=4 "$@" -- bash -c "$command" >out 2>err || code=$?
  [ $code = "$want" ] || fail "exit code $code, not $want, with '$*' of: $command: $(cat out err)"
}
right() { cmp -s saved data || fail "salvage is not the file: $(cat out err saved.map)"; }
says() { grep -Eq -- "$1" "${2:-out}" || fail "'$1' is not said: $(cat "${2:-out}")"; }
# shellcheck disable=SC2016 # $roma and $ROMA_PEER_URI are those of the command
salvage='exec "$roma" salvage --error-gap 0 "$ROMA_PEER_URI" saved' deep='exec "$roma" diagnose --deep --error-gap 0 "$ROMA_PEER_URI"'

# shellcheck disable=SC2016
run 0 '"$roma" get "$ROMA_PEER_URI" saved && "$roma" diagnose "$ROMA_PEER_URI" && "$roma" diagnose --deep --against data "$ROMA_PEER_URI"'
right
run 0 "$salvage"
right
says '	certain	127.0.0.1:[0-9]*	-$' saved.map
! grep -q computed saved.map || fail "computed without a need: $(cat saved.map)"
echo "whole: read, clean, salvaged"

# Byte 300000 of part 1 is in its second unit: unit 5 of the chunk, block 20.
run 0 "$salvage" rot=1:300000
right
says '^1310720	65536	certain	parts	computed from the other parts$' saved.map
run 1 "$deep" rot=1:300000
says 'block 4 of part 11 on .* does not match its checksum'
# A disk that has just had an error is left in peace, and nobody has to wait for it.
# shellcheck disable=SC2016
run 0 'exec "$roma" salvage "$ROMA_PEER_URI" saved' rot=1:300000
right
says '^1310720	262144	certain	parts	computed from the other parts$' saved.map
run 0 "$salvage" rot=0:5 rot=1:300000 rot=2:70000 rot=4:140000
right
run 0 "$salvage" parts=8 rot=1:300000 rot=8:70000 rot=7:5
right
run 1 "$salvage" rot=0:5 rot=1:6
cmp -l saved data | awk '{ b[int(($1 - 1) / 65536)] } END { for (i in b) print i }' | sort -n | tr '\n' ' ' >blocks
[ "$(cat blocks)" = "0 4 " ] || fail "other blocks are lost: $(cat blocks saved.map)"
[ "$(grep -c '	lost	' saved.map)" = 2 ] || fail "the map: $(cat saved.map)"
# A server with several parts: what is known of one says nothing of the others when the chunk comes a second time.
run 0 "$salvage" servers=2 rot=0:5 twice
cmp <(tail -c +$((64 * 1024 * 1024 + 1)) saved) data || fail "the second is not the file: $(cat out saved.map)"
[ "$(grep -c '	65536	certain	parts	computed from the other parts$' saved.map)" = 2 ] || fail "the map: $(cat saved.map)"
echo "damaged blocks: found, computed from the others"

for part in 0 1 2 3 4; do
  run 0 "$salvage" gone=$((part + 1))
  right
done
run 0 "$salvage" gone=5 rot=4:5
right
run 1 "$salvage" gone=5 rot=2:70000
cmp -l saved data | awk '{ b[int(($1 - 1) / 65536)] } END { for (i in b) print i }' >blocks
[ "$(cat blocks)" = 9 ] || fail "other blocks are lost: $(cat blocks saved.map)"
# shellcheck disable=SC2016
diagnose='exec "$roma" diagnose --error-gap 0 "$ROMA_PEER_URI"'
run 2 "$diagnose" gone=2
run 2 "$diagnose" gone=2 gone=4
says 'only 3 of its parts are on chunkservers that are connected, and 4 are needed'
# As a 4.59 chunkserver answers that finds the end of a part file cut off.
run 1 "$diagnose" 'script=cs2+ANTOCS_GET_CHUNK_BLOCKS+*+status+29'
says 'wrong: chunk 0: part 11 on .* is damaged'
run 1 "$salvage" gone=2 gone=4
says '^0	262144	certain	' saved.map
says '^262144	262144	lost	-	its part is missing' saved.map
echo "parts on no server: computed from the others"

# A server that gives other bytes at each read, all with fitting CRCs: they are computed from the others. Where they cannot be, those
# that came are called what they are, and so is what was computed from them.
run 0 "$salvage" restless=1
right
says '^0	262144	certain	parts	computed from the other parts$' saved.map
run 1 "$salvage" restless=1 gone=3
cmp -l saved data | awk '{ u[int(($1 - 1) / 262144) % 4] } END { for (i in u) print i }' | sort | tr '\n' ' ' >units
[ "$(cat units)" = "0 2 " ] || fail "other units are wrong: $(cat units saved.map)"
awk -F '\t' '!/^#/ && ($3 == "certain") == ($1 / 262144 % 2 == 0) { exit 1 }' saved.map || fail "the map: $(cat saved.map)"
[ "$(grep -c 'unstable: its server gives other bytes' saved.map)" = 5 ] || fail "the map: $(cat saved.map)"
# shellcheck disable=SC2016
run 1 'exec "$roma" salvage --error-gap 0 --against data "$ROMA_PEER_URI" saved' restless=1 gone=3
says ' [0-9]* certain, [1-9][0-9]* chosen, 0 lost'
echo "other bytes at each read: computed from the others, or not certain"
