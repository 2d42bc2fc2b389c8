# shellcheck shell=bash
# Sourced by the scripts that try `roma upload` on one kind of store each: several processes, and processes that are killed.
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"

# at NAME: the URI of an object, in the folder that whoever sources this has named. Nothing here runs in a subshell but in
# one of its own: there the program takes the place of the shell.
: "${folder:=}"
at() { printf '%s/%s%s' "$folder" "$1" "${query:-}"; }

begin() { roma upload begin "$(at "$1")"; }

# put_part NAME ID NUMBER FILE: prints NUMBER:ETAG
put_part() { roma upload part --upload-id "$2" --part "$3" "$PWD/$4" "$(at "$1")"; }

complete() {
  local name=$1 id=$2
  shift 2
  roma upload complete --upload-id "$id" "$(at "$name")" "$@"
}

# holds NAME FILE...: the object is these files, one behind the other.
holds() {
  local name=$1
  shift
  cat "$@" | cmp - <(roma cat "$(at "$name")") || fail "$name is not $*"
}

absent() { if roma stat "$(at "$1")" >stat.out 2>&1; then fail "$1 is there: $2"; fi; }

# What a store must be told when a client has been killed; whoever has sourced this may say it.
declare -F after_kill >/dev/null || after_kill() { :; }

nothing_left() {
  local left
  left=$(roma upload ls "$folder/${query:-}") || fail "upload ls"
  [ -z "$left" ] || fail "$1: uploads are left: $left"
}

# Several processes put parts, in no order; one part is put twice with other content at the same time.
shared_by_processes() {
  local id pids=() p i
  id=$(begin shared) || fail "begin"
  for i in 4 2 1 3; do
    put_part shared "$id" $i part$i >told.$i &
    pids+=($!)
  done
  put_part shared "$id" 2 other >told.other &
  pids+=($!)
  for p in "${pids[@]}"; do wait "$p" || fail "a part"; done
  # What was acknowledged is there, and what is listed was acknowledged.
  roma upload parts --upload-id "$id" "$(at shared)" | cut -d' ' -f1 >listed || fail "parts"
  [ "$(wc -l <listed)" = 4 ] || fail "parts: $(cat listed)"
  for i in 1 3 4; do grep -qxF "$(cat told.$i)" listed || fail "part $i is lost"; done
  grep -qxF -e "$(cat told.2)" -e "$(cat told.other)" listed || fail "part 2 is lost"
  [ "$(cat told.1)" = "1:$(md5sum <part1 | cut -d' ' -f1)" ] || fail "the ETag is no MD5: $(cat told.1)"
  absent shared "before the complete"
  mapfile -t parts <listed
  complete shared "$id" "${parts[@]}" || fail "complete"
  if grep -qxF "$(cat told.2)" listed; then holds shared part1 part2 part3 part4; else holds shared part1 other part3 part4; fi
  nothing_left shared
}

# complete_killed SECONDS: a complete that lives for so long, and the same once more.
complete_killed() {
  local id a b got=0
  id=$(begin killed) || fail "begin"
  a=$(put_part killed "$id" 1 part1) || fail "part 1"
  b=$(put_part killed "$id" 2 part4) || fail "part 2"
  # shellcheck disable=SC2086 # ROMA_MFS_NS holds words
  timeout -s KILL "$1" ${ROMA_MFS_NS:-} "$ROMA" upload complete --upload-id "$id" "$(at killed)" "$a" "$b" 2>/dev/null || got=$?
  after_kill
  if roma stat "$(at killed)" >stat.out 2>&1; then holds killed part1 part4; elif [ $got = 0 ]; then fail "acknowledged and not there"; fi
  got=0
  complete killed "$id" "$a" "$b" 2>errors || got=$?
  # It may have been all done; then the upload is not known any more.
  [ $got = 0 ] || { [ $got = 3 ] && grep -q 'upload' errors; } || fail "after $1 s complete again: exit $got, $(cat errors)"
  holds killed part1 part4
  roma gc --older-than 0 "$folder/${query:-}" >/dev/null || fail "gc"
  nothing_left "killed after $1 s"
  roma rm "$(at killed)" || fail "rm"
}

# A part or an abort that is killed leaves an upload that can be ended.
part_killed() {
  local id a got=0
  id=$(begin cut) || fail "begin"
  a=$(put_part cut "$id" 1 part4) || fail "part"
  # shellcheck disable=SC2086
  timeout -s KILL "$1" ${ROMA_MFS_NS:-} "$ROMA" upload part --upload-id "$id" --part 1 "$PWD/part1" "$(at cut)" >again 2>/dev/null || got=$?
  after_kill
  [ $got != 0 ] || a=$(cat again)
  if [ $got = 0 ]; then
    complete cut "$id" "$a" && holds cut part1
  elif complete cut "$id" "$a" 2>errors; then
    holds cut part4
  else
    # Where a later part replaces an earlier one it may have done so without a word.
    [ "${replaces:-no}" = yes ] && complete cut "$id" "1:$(md5sum <part1 | cut -d' ' -f1)" && holds cut part1
  fi || fail "a part killed after $1 s: $(cat errors)"
  roma rm "$(at cut)" || fail "rm"
}

abort_killed() {
  local id got=0
  id=$(begin given-up) || fail "begin"
  put_part given-up "$id" 1 part4 >/dev/null || fail "part"
  # shellcheck disable=SC2086
  timeout -s KILL "$1" ${ROMA_MFS_NS:-} "$ROMA" upload abort --upload-id "$id" "$(at given-up)" 2>/dev/null || :
  after_kill
  roma upload abort --upload-id "$id" "$(at given-up)" 2>errors || got=$?
  [ $got = 0 ] || [ $got = 3 ] || fail "abort again: exit $got, $(cat errors)"
  absent given-up "aborted"
  roma gc --older-than 0 "$folder/${query:-}" >/dev/null || fail "gc"
  nothing_left "an abort killed after $1 s"
}

# killed_at_turns EVERY: each step of an upload, killed after every so many turns of its loop; what has been done must be right.
killed_at_turns() {
  in_cluster "$BUILD_DIR/tests/contract/upload-kills" "$folder${query:-}" --every "$1" >kills 2>&1 || fail "killed: $(cat kills)"
}

# races ROUNDS: of two ends at once one wins, and the bytes say which.
races() {
  local id a b one two c d round
  for ((round = 0; round < $1; round++)); do
    id=$(begin race) || fail "begin"
    a=$(put_part race "$id" 1 part1) || fail "part 1"
    b=$(put_part race "$id" 2 part4) || fail "part 2"
    c=0 d=0
    complete race "$id" "$a" 2>one.err &
    one=$!
    complete race "$id" "$a" "$b" 2>two.err &
    two=$!
    wait $one || c=$?
    wait $two || d=$?
    [ $c = 0 ] || [ $d = 0 ] || fail "neither of two: $(cat one.err two.err)"
    if [ $c = 0 ] && [ "$(roma cat "$(at race)" | wc -c)" = "$(wc -c <part1)" ]; then holds race part1; else
      [ $d = 0 ] || fail "the object is of the one that failed"
      holds race part1 part4
    fi
    nothing_left race
    roma rm "$(at race)" || fail "rm"
    id=$(begin race) || fail "begin"
    a=$(put_part race "$id" 1 part4) || fail "part"
    c=0 d=0
    complete race "$id" "$a" 2>one.err &
    one=$!
    roma upload abort --upload-id "$id" "$(at race)" 2>two.err &
    two=$!
    wait $one || c=$?
    wait $two || d=$?
    if [ $c = 0 ]; then
      holds race part4
      [ $d != 0 ] || [ "${replaces:-no}" = yes ] || fail "complete and abort have both won"
      roma rm "$(at race)" || fail "rm"
    else
      [ $d = 0 ] || fail "neither: $(cat one.err two.err)"
      absent race "aborted"
    fi
    nothing_left race
  done
}

# resumed BYTES: put --resume takes up what is there of a file of four parts, and throws away what is not of this file.
resumed() {
  local id i
  SEED=$$-5 random_file long $(($1 * 3 + 777))
  id=$(begin long) || fail "begin"
  for i in 1 3; do
    roma upload part --upload-id "$id" --part $i --offset $(((i - 1) * $1)) --length "$1" "$PWD/long" "$(at long)" >/dev/null ||
      fail "part $i"
  done
  roma upload part --upload-id "$id" --part 2 --length "$1" "$PWD/long" "$(at long)" >/dev/null || fail "part 2"
  roma put -v --resume --verify "$PWD/long" "$(at long)" >told || fail "put --resume"
  grep -qF "2 of 4 parts were there" told || fail "put --resume: $(cat told)"
  holds long long
  nothing_left "put --resume"
  roma rm "$(at long)" || fail "rm"
  # shellcheck disable=SC2086
  timeout -s KILL 0.15 ${ROMA_MFS_NS:-} "$ROMA" put --resume "$PWD/long" "$(at long)" 2>/dev/null
  after_kill
  roma put --resume "$PWD/long" "$(at long)" || fail "put --resume after kill -9"
  holds long long
  nothing_left "put --resume after kill -9"
  roma put --resume "$PWD/part4" "$(at long)" || fail "put --resume of a short one"
  holds long part4
  roma rm "$(at long)" || fail "rm"
}

part_files() {
  local i
  for i in part1 part2 part3 other; do SEED=$$-$i random_file $i "$1"; done
  SEED=$$-4 random_file part4 12345
}

# upload_suite BYTES EVERY: the length of all parts but the last, and see killed_at_turns.
upload_suite() {
  local i
  part_files "$1"
  shared_by_processes
  races 2
  killed_at_turns "$2"
  for i in ${KILL_AFTER:-0.03 0.07}; do
    complete_killed "$i"
    part_killed "$i"
    abort_killed "$i"
  done
  resumed "${part:-16777216}"
  # Words
  i=$(roma upload begin --json "$(at words)" | sed 's/.*"upload_id":"\([^"]*\)".*/\1/')
  roma gc --dry-run --older-than 1h "$folder/${query:-}" | grep -qF "$i" && fail "gc --dry-run: it is not old"
  roma upload part --json --upload-id "$i" --part 1 --offset 5 --length 10 "$PWD/part4" "$(at words)" | grep -q '"length":10' || fail "--json"
  roma upload ls --json "$(at words)" | grep -qF "\"upload_id\":\"$i\"" || fail "ls --json"
  sleep 1.1 # times of a MooseFS are whole seconds
  roma gc --dry-run --older-than 0 "$folder/${query:-}" | grep -qF "words (upload $i)" || fail "gc --dry-run"
  # shellcheck disable=SC2002 # a pipe is meant
  cat part4 | roma upload part --upload-id "$i" --part 2 --offset 5 - "$(at words)" 2>errors && fail "a stream from the middle"
  grep -qF "this is a stream" errors || fail "a stream from the middle: $(cat errors)"
  roma upload part --upload-id "$i" --part 0 "$PWD/part4" "$(at words)" 2>/dev/null && fail "part 0"
  roma upload complete --upload-id "$i" "$(at words)" 1:00000000000000000000000000000000 2>errors
  [ $? = 9 ] || fail "a wrong ETag: $(cat errors)"
  roma upload complete --upload-id "$i" "$(at words)" || fail "complete without parts"
  tail -c +6 part4 | head -c 10 | cmp - <(roma cat "$(at words)") || fail "a piece of a file"
  roma upload abort --upload-id "$i" "$(at words)" 2>errors
  [ $? = 3 ] || fail "an abort after the end: $(cat errors)"
  nothing_left words
}
