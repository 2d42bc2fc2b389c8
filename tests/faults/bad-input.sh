#!/bin/bash
# Wrong addresses, passwords, names, sources and destinations on MooseFS: each has its exit code and its sentence.
# timeout: 1200
set -u
# shellcheck source=tests/faults/functions.sh
. "$SRC_DIR/tests/faults/functions.sh"
master=$ROMA_MFS_MASTER
root=mfs://$master
fold=$uri/f
random_file source 3000000
folder 1 f

# refused CODE ARGUMENT...
refused() {
  local code=$1
  shift
  expect "$code" limited 100 "$@"
}

# Addresses
refused 5 ls mfs://no-such-host.invalid/
says 'open mfs://no-such-host.invalid/' 'host name no-such-host.invalid' 'check the name'
refused 5 ls "$root:9/"
says "open $root:9/" refused "server $master:9" 'check the address'
refused 5 ls "mfs://$ROMA_MFS_CS1_ADDRESS/"
says "server $ROMA_MFS_CS1_ADDRESS" chunkserver "give the master's address"
if command -v python3 >/dev/null; then
  cat >garbage.py <<'PY'
import socket, sys
listener = socket.create_server((sys.argv[1], 0))
open(sys.argv[2], "w").write("%d\n" % listener.getsockname()[1])
while True:
    peer = listener.accept()[0]
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    peer.recv(65536)
    peer.close()
PY
  in_cluster python3 garbage.py "$master" port.new 3>&- &
  background=$!
  for _ in $(seq 300); do
    [ ! -s port.new ] || break
    sleep 0.1
  done
  refused 5 ls "$root:$(cat port.new)/"
  says "server $master:$(cat port.new)" MooseFS
  kill -KILL "$background"
  wait "$background" 2>/dev/null
  background=
fi

# Exports
refused 4 ls "$root/?export=/secret"
says "open $root/" password 'option password_file' "server $master:9421"
(umask 077 && echo wrong >password)
refused 4 ls "$root/?export=/secret&password_file=$SCRATCH/password"
says "open $root/" 'password is wrong' "server $master:9421"
echo "$ROMA_MFS_PASSWORD" >password
expect 0 limited 100 ls "$root/?export=/secret&password_file=$SCRATCH/password"
refused 4 ls "$root/?export=/nothere"
says "open $root/" /nothere mfsexports.cfg "server $master:9421"
for command in "put source $root/x?export=/readonly" "mkdir $root/x?export=/readonly" "rm $root/file?export=/readonly" \
  "mv $root/file?export=/readonly $root/y?export=/readonly"; do
  # shellcheck disable=SC2086 # words
  refused 4 $command
  says read-only mfsexports.cfg "server $master:9421"
done
expect 0 limited 100 get "$root/file?export=/readonly" file
same file "$ROMA_MFS_MOUNT/readonly/file"

# Names
long=$(printf 'x%.0s' $(seq 255))
expect 0 limited 100 put source "$fold/$long"
same source "$mounted/f/$long"
refused 2 put source "$fold/${long}x"
says '256 bytes' 255
refused 2 put source "$fold/a/../b"
says "'..'"
for bytes in $'new\nline' 'ünï ☃' $'not \xff\xfe utf-8' ' ' '~' '*' $'\\' 'a#b+c&d'; do
  expect 0 limited 100 put source "$fold/$bytes"
  same source "$mounted/f/$bytes"
  expect 0 limited 100 get "$fold/$bytes" back
  same source back
  expect 0 limited 100 rm "$fold/$bytes"
  absent 'rm' "$mounted/f/$bytes"
done

# A folder where a file is expected, and the other way round
mkdir "$mounted/f/folder"
echo old >"$mounted/f/old"
for command in "get $fold/folder back2" "cat $fold/folder"; do
  # shellcheck disable=SC2086 # words
  refused 1 $command >/dev/null
  says "$fold/folder" 'it is a folder'
done
refused 1 put source "$fold/old/x"
says old/x 'not a folder'
refused 3 get "$fold/missing" back2
says "$fold/missing" 'no such object' "server $master:9421"
refused 3 put source "$fold/missing/x"
says missing
absent 'a refused get' back2

# Destinations
mkdir dst
refused 3 get "$fold/old" dst/none/x
says dst/none/x 'No such file'
if [ "$(id -u)" != 0 ]; then
  chmod 500 dst
  refused 4 get "$fold/old" dst/x
  says dst/x 'Permission denied'
  chmod 700 dst
fi
expect 0 limited 100 put source "$fold/source"
expect 0 limited 100 get "$fold/source" /dev/null
[ -c /dev/null ] || fail '/dev/null was replaced'
refused 6 get "$fold/source" /dev/full
says /dev/full
mkfifo fifo
begin get "$fold/source" fifo
timeout 100 cat fifo >back
ended_well 100
same source back
[ -p fifo ] || fail 'the FIFO was replaced'
echo target >dst/target
ln -s target dst/link
expect 0 limited 100 get "$fold/source" dst/link
[ -L dst/link ] || fail 'the symbolic link was replaced'
same source dst/target
ln -s "old" "$mounted/f/link"
expect 0 limited 100 put source "$fold/link"
[ -L "$mounted/f/link" ] || fail 'the symbolic link in the store was replaced'
same source "$mounted/f/old"
nothing_left
