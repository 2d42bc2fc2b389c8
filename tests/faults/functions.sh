# shellcheck shell=bash disable=SC2034 # variables are for those who source this
# Sourced by the scripts of this folder: a folder of their own on a real MooseFS, and transfers that are hit in the
# middle. They work in $SCRATCH.
# shellcheck source=tests/tools-functions.sh
. "$SRC_DIR/tests/tools-functions.sh"

[ -n "${ROMA_MFS_MASTER:-}" ] || skip "no MooseFS cluster"
[ -n "${ROMA_MFS_MOUNT:-}" ] || skip "the cluster could not be mounted here (FUSE)"
topic=$(basename "$0" .sh)-$$
uri=mfs://$ROMA_MFS_MASTER/$topic
mounted=$ROMA_MFS_MOUNT/$topic
MB=$((1024 * 1024))
background=

# The daemons it starts must not hold our output open.
cluster() { "$SRC_DIR/tests/cluster/mfs" "$@" 3>&-; }

clean_up() {
  cd /
  [ -z "$background" ] || kill -KILL "$background" 2>/dev/null
  cluster heal
  rm -rf "$mounted"
  [ -z "${own_scratch:-}" ] || rm -rf "$own_scratch"
}
trap clean_up EXIT
mkdir "$mounted" || fail "mkdir $mounted"

# limited SECONDS ARGUMENT...: the program; ROMA must end by itself, 124 means that it hung.
limited() {
  local seconds=$1
  shift
  in_cluster timeout -k 5 "$seconds" "$ROMA" "$@"
}

# folder COPIES NAME: makes a folder of the store whose files have so many copies.
folder() {
  mkdir "$mounted/$2" || fail "mkdir $2"
  in_cluster mfssetsclass "$1" "$mounted/$2" >/dev/null || fail "mfssetsclass $1 $2"
}

# begin ARGUMENT...: starts the program in the background.
begin() {
  roma "$@" 2>errors &
  background=$!
  started=$EPOCHREALTIME
}

# moved rchar|wchar BYTES: waits until the program has read or written so many bytes of files, and freezes it there:
# what comes next hits the transfer in the middle on a fast machine and on a slow one.
moved() {
  local name value waited=0
  until {
    value=0
    while read -r name value; do [ "$name" != "$1:" ] || break; done
  } 2>/dev/null <"/proc/$background/io" && [ "${value:-0}" -ge "$2" ]; do
    kill -0 "$background" 2>/dev/null || fail "the transfer ended before $2 bytes: $(cat errors)"
    ((waited++ < 12000)) || fail "the transfer does not move"
    sleep 0.01
  done
  kill -STOP "$background"
}

thaw() { kill -CONT "$background"; }

# ended SECONDS: waits for the program; its exit code goes to `got`, how long it took to `took`.
ended() {
  local deadline=$((SECONDS + $1))
  while kill -0 "$background" 2>/dev/null; do
    if ((SECONDS >= deadline)); then
      fail "the transfer hangs, $1 s after the fault"
    fi
    sleep 0.05
  done
  got=0
  wait "$background" || got=$?
  background=
  took=$(awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { print int(b - a + 0.5) }')
}

# ended_well SECONDS: and the transfer succeeded.
ended_well() {
  ended "$1"
  [ "$got" = 0 ] || fail "exit code $got: $(cat errors)"
}

# No temporary is in the folder of the store or in this one.
nothing_left() {
  local found
  found=$(find "$mounted" . -name '.roma~*')
  [ -z "$found" ] || fail "temporaries were left: $found"
}

# holder FILE INDEX: the chunkserver (cs1, ...) with the only copy of a chunk of FILE, a name in the store.
holder() {
  local line i address
  line=$(roma chunks --json "$uri/$1" | grep -F "\"index\":$2,") || fail "no chunk $2 of $1"
  for i in 1 2 3; do
    address=ROMA_MFS_CS${i}_ADDRESS
    case $line in *"${!address}"*) echo "cs$i" && return ;; esac
  done
  fail "nobody has chunk $2 of $1: $line"
}
