#!/bin/bash
# roma upload on a local folder and on a real MooseFS: several processes, and kill -9 at every step.
# timeout: 300
set -u
# shellcheck source=tests/uploads.sh
. "$SRC_DIR/tests/uploads.sh"
cd "$SCRATCH" || exit 1
SCRATCH=$PWD
mkdir store
# shellcheck disable=SC2034 # of uploads.sh
folder=file://$SCRATCH/store
ns=${ROMA_MFS_NS:-}
unset ROMA_MFS_NS
upload_suite 300000 9

# A complete was killed while it removed the parts, or another one was decided: the upload is listed and takes none any more.
random_file long 50331648
for lost in 1 0; do
  id=$(begin ended) || fail "begin"
  for i in 1 2 3; do
    roma upload part --upload-id "$id" --part $i --offset $(((i - 1) * 16777216)) --length 16777216 "$PWD/long" "$(at ended)" >/dev/null ||
      fail "part $i"
  done
  printf 'complete 0123456789abcdef0123456789abcdef' >"store/.roma~$id/decided"
  [ $lost = 0 ] || rm "store/.roma~$id"/00001~*
  roma put --resume "$PWD/long" "$(at ended)" || fail "put --resume does not begin anew"
  holds ended long
  [ "$(roma upload ls "$folder" | wc -l)" = 1 ] || fail "left: $(roma upload ls "$folder")"
  roma gc --older-than 0 "$folder" >/dev/null || fail "gc"
  rm store/ended
done
nothing_left "put --resume that began anew"
# A kill between two steps may leave a temporary of its own.
roma gc --older-than 0 "$folder" >/dev/null || fail "gc"
[ "$(find store -mindepth 1 | sort | tr '\n' ' ')" = "store/shared store/words " ] || fail "left: $(find store)"
[ -n "${ROMA_MFS_MASTER:-}" ] || skip "no MooseFS cluster"

export ROMA_MFS_NS=$ns
# shellcheck disable=SC2034
folder=mfs://$ROMA_MFS_MASTER/uploads-$$
roma mkdir "$folder" || fail "mkdir"
export part=67108864 # of put --resume there
upload_suite 300000 61

# Parts of whole chunks are joined without moving data: nothing but the decision and the end of the last part is written.
SEED=$$-a random_file a 67108864
SEED=$$-b random_file b 67108864
id=$(begin big) || fail "begin"
for i in 2:b 1:a 3:part4; do put_part big "$id" ${i%:*} ${i#*:} >/dev/null || fail "part $i"; done
roma upload complete --timing --upload-id "$id" "$(at big)" 2>timing || fail "complete: $(cat timing)"
grep -q '^append slice ' timing || fail "the parts were not joined by the master: $(cat timing)"
grep -E '^chunk_write .* [0-9.]+ [KMG]iB' timing && fail "data were written: $(cat timing)"
holds big a b part4
roma upload ls "$folder" | grep -q . && fail "an upload is left"
# The object has chunks of its own: what becomes of the parts is nothing to it.
roma gc --older-than 0 "$folder" >/dev/null || fail "gc"
holds big a b part4
roma rm -r "$folder" || fail "rm -r"
exit 0
