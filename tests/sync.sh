# shellcheck shell=bash
# Sourced by the scripts that try `roma sync` on one kind of store each. Nothing here runs in a subshell but in one of its own:
# there the program takes the place of the shell.
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"

# make_tree FOLDER [N]: N small files in folders (1000), with times of long ago.
make_tree() {
  local i
  mkdir -p "$1"
  random_file bytes 200000
  for i in $(seq "${2:-1000}"); do
    mkdir -p "$1/d$((i % 17))/e$((i % 5))"
    head -c $((i * 7919 % 3000)) <(tail -c +$((i * 101 % 190000)) bytes) >"$1/d$((i % 17))/e$((i % 5))/file $i"
  done
  find "$1" -type f -exec touch -d '2021-05-06 07:08:09.5' {} +
}

# killed FROM TO N: a sync that is killed when it has copied N objects or a few more. Where it was quicker than the kill
# all is copied once more.
killed() {
  local pid tries=0
  while :; do
    roma sync -v -j 4 "$1" "$2" >lines 2>&1 &
    pid=$!
    while [ "$(wc -l <lines)" -lt "$3" ] && kill -0 $pid 2>/dev/null; do sleep 0.01; done
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    grep -q ' copied, ' lines || return 0
    ((tries++ < 3)) || fail "it was not killed in time: $(tail -n 1 lines)"
    roma rm -r "$2" || fail "rm -r $2"
  done
}

# denied COMMAND...: the program without what lets root read everything; what it says goes to the file `errors`.
denied() {
  local less=()
  [ "$(id -u)" != 0 ] || less=(setpriv --inh-caps=-all --bounding-set=-all)
  "${less[@]}" "$ROMA" "$@" >lines 2>errors
}

# told TEXT COMMAND...: the last line is this.
told() {
  local want=$1 got
  shift
  got=$("$@" | tail -n 1)
  [ "$got" = "$want" ] || fail "$*: '$got', expected '$want'"
}

# equal_to FOLDER URI: the same names and bytes, read back by `roma get`.
equal_to() {
  rm -rf back
  mkdir back
  roma get -q -r "$2" "$PWD/back/x" || fail "get -r $2"
  diff -r "$1" back/x >differences || fail "$2 differs: $(head -n 5 differences)"
}

# sync_suite LOCAL FROM TO: FROM holds what LOCAL does; sync killed twice, then to the end, then again.
sync_suite() {
  local n
  n=$(find "$1" -type f | wc -l)
  killed "$2" "$3" $((n / 10))
  killed "$2" "$3" $((n * 3 / 10))
  roma sync -q "$2" "$3" || fail "sync"
  equal_to "$1" "$3"
  told "0 copied, $n the same, 0 removed" roma sync "$2" "$3"
  told "0 copied, $n the same, 0 removed" roma sync --checksum "$2" "$3"
}
