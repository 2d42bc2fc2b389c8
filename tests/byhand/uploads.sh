#!/bin/bash
# Uploads at length, by hand, on every kind of store that there is a server for:
#   eval "$(tests/cluster/mfs env)"; eval "$(tests/cluster/ceph env)"; tests/byhand/uploads.sh [BUILD_FOLDER] [STORE...]
# STORE: file, mfs, cephfs, rados, s3 (all). Each gets
#   - PARTS=10000 parts of 1 byte to 3 KiB (on S3 4 KiB more: the test's gateway wants that much) from two processes at once,
#     listed, completed and compared; as many more, aborted; nothing is left;
#   - each step of an upload, killed after the first, second, third ... turn of its loop (EVERY=1);
#   - `roma upload` from several processes, as tests/contract/uploads.sh has it;
#   - on S3: objects that were completed under a retried part or an abort, read again when the gateway's garbage collection
#     has removed what it takes for garbage.
# shellcheck disable=SC2317 # what is checked is called by its name
set -u
src=$(cd "$(dirname "$0")/../.." && pwd -P)
build=$(readlink -f "${1:-$src/_build}")
[ $# = 0 ] || shift
export SRC_DIR=$src BUILD_DIR=$build ROMA=$build/roma ROMA_MODULE_DIR=${ROMA_MODULE_DIR:-$build/.libs}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=${PARTS:-10000}
# shellcheck source=tests/uploads.sh
. "$src/tests/uploads.sh"
cd "$work" || exit 1
export AWS_ACCESS_KEY_ID=${ROMA_CEPH_S3_ACCESS:-} AWS_SECRET_ACCESS_KEY=${ROMA_CEPH_S3_SECRET:-}
unset AWS_SESSION_TOKEN AWS_PROFILE AWS_CA_BUNDLE http_proxy HTTP_PROXY
mfs_ns=${ROMA_MFS_NS:-}

# many ARGUMENT...: tests/contract/upload-many on the store.
many() { in_cluster "$build/tests/contract/upload-many" "$folder${query:-}" "$@"; }

put_many() { # KEY ID
  many "$1" put "$2" 1 2 "$count" "$least" "$work/bytes" &
  local one=$!
  many "$1" put "$2" 2 2 "$count" "$least" "$work/bytes" &
  wait $! || fail "put"
  wait "$one" || fail "put"
}

many_parts() {
  local id
  least=1
  [ "$kind" != s3 ] || least=4096
  random_file bytes "$("$build/tests/contract/upload-many" "$count" "$least")"
  id=$(begin many) || fail "begin"
  put_many many "$id"
  many many complete "$id" "$count" || fail "complete"
  holds many bytes
  nothing_left many
  id=$(begin many) || fail "begin"
  put_many many "$id"
  echo "abort:"
  many many abort "$id" || fail "abort"
  holds many bytes
  nothing_left many
  roma ls --all "$folder/${query:-}" >listed || fail "ls"
  ! grep -F .roma~ listed || fail "something is left"
  roma rm "$(at many)" || fail "rm"
  echo "ok   $kind: $count parts"
}

# Else the MDS keeps for 60 s what a client has that is gone.
cat >evict <<'END'
#!/bin/bash
mds() { "$SRC_DIR/tests/cluster/ceph" exec ceph tell "mds.$ROMA_CEPH_FS:0" client "$@" 2>/dev/null; }
for id in $(mds ls | python3 -c '
import json, os, sys
for s in json.load(sys.stdin):
    pid = s["client_metadata"].get("pid")
    if pid and not os.path.exists("/proc/" + pid):
        print(s["id"])'); do
  mds evict "id=$id" >/dev/null
done
END
chmod +x evict

after_kill() { [ "$kind" != cephfs ] || "$work/evict"; }

kills() {
  local after=()
  [ "$kind" != cephfs ] || after=(--after "$work/evict")
  in_cluster "$build/tests/contract/upload-kills" "$folder${query:-}" --every "${EVERY:-1}" "${after[@]}" || fail "kills"
}

# whole NAME FIRST: what the object must be, for later.
whole() {
  cat "$2" part4 | md5sum | cut -d' ' -f1 >"want.$1"
  [ "$(roma cat "$(at "$1")" | md5sum | cut -d' ' -f1)" = "$(cat "want.$1")" ] || fail "$1: other bytes"
}

# Of what was completed under an abort radosgw 16 removes the bytes; that is counted, and is no failure of ours.
garbage() {
  local i id a b n=0 refused=0 aborted=0 lost=0 ended part
  [ "$kind" = s3 ] || return 0
  part_files 5242880
  for i in $(seq "${ROUNDS:-16}"); do
    id=$(begin "retried-$i") || fail "begin"
    a=$(put_part "retried-$i" "$id" 1 part1) || fail "part"
    b=$(put_part "retried-$i" "$id" 2 part4) || fail "part"
    put_part "retried-$i" "$id" 1 part2 >again 2>/dev/null &
    part=$!
    sleep "0.0$((i % 8))"
    if complete "retried-$i" "$id" "$a" "$b" 2>errors; then
      whole "retried-$i" part1
    else
      [ $? = 9 ] || fail "complete: $(cat errors)"
      refused=$((refused + 1))
      wait "$part" || fail "neither the part nor the complete"
      complete "retried-$i" "$id" "$(cat again)" "$b" || fail "complete of the later part"
      whole "retried-$i" part2
    fi
    wait "$part"
    id=$(begin "aborted-$i") || fail "begin"
    a=$(put_part "aborted-$i" "$id" 1 part3) || fail "part"
    b=$(put_part "aborted-$i" "$id" 2 part4) || fail "part"
    roma upload abort --upload-id "$id" "$(at "aborted-$i")" 2>/dev/null &
    part=$!
    sleep "0.0$((i % 6))"
    complete "aborted-$i" "$id" "$a" "$b" 2>errors
    ended=$?
    wait "$part"
    if [ "$ended" = 0 ]; then
      whole "aborted-$i" part3
    else
      aborted=$((aborted + 1))
      absent "aborted-$i" "$(cat errors)"
    fi
  done
  "$src/tests/cluster/ceph" exec radosgw-admin gc process --include-all || fail "gc process"
  for i in want.*; do
    n=$((n + 1))
    [ "$(roma cat "$(at "${i#want.}")" 2>/dev/null | md5sum | cut -d' ' -f1)" != "$(cat "$i")" ] || continue
    [[ $i = want.aborted-* ]] || fail "${i#want.}: lost to the garbage collection"
    lost=$((lost + 1))
  done
  rm want.*
  echo "ok   $kind: garbage was collected: of $n objects $lost that were completed under an abort are lost to it, all others are whole;" \
    "$refused completes refused under a retry, $aborted uploads aborted"
}

store() {
  kind=$1 folder=$2 query=${3:-} replaces=no
  [ "$kind" != s3 ] || replaces=yes
  echo "== $kind"
  case $kind in
  s3) roma mb "${folder%/*}$query" || fail "mb" ;;
  rados) ;;
  *) roma mkdir "$folder" || fail "mkdir" ;;
  esac
  for check in ${CHECKS:-many_parts kills processes garbage}; do $check; done
  echo end | roma put -q - "$(at end)" || fail "put"
  roma rm -r "$folder$query" || fail "rm -r"
  [ "$kind" != s3 ] || roma rb "${folder%/*}$query" || fail "rb"
}

processes() {
  local after part='' bytes=300000
  case $kind in
  mfs) part=67108864 ;;
  s3) bytes=5242880 ;;
  esac
  part_files "$bytes"
  shared_by_processes
  races 2
  for after in 0.02 0.035 0.05 0.07 0.1 0.15; do
    complete_killed "$after"
    part_killed "$after"
    abort_killed "$after"
  done
  resumed "${part:-16777216}"
  echo "ok   $kind: several processes"
}

[ $# != 0 ] || set -- file mfs cephfs rados s3
for kind in "$@"; do
  export ROMA_MFS_NS=
  [ "$kind" != mfs ] || ROMA_MFS_NS=$mfs_ns
  name=uploads-$$-$kind
  case $kind${ROMA_MFS_MASTER:+ +mfs}${ROMA_CEPH_FS:+ +ceph} in
  file*) store file "file://$work/store" ;;
  mfs*+mfs*) store mfs "mfs://$ROMA_MFS_MASTER/$name" ;;
  cephfs*+ceph) store cephfs "cephfs://$ROMA_CEPH_FS/$name" ;;
  rados*+ceph) store rados "rados://$ROMA_CEPH_POOL/at" "?ns=$name&grace=0s&keep=0s" ;;
  s3*+ceph) store s3 "s3://$name/at" "?endpoint=$ROMA_CEPH_S3&vendor=radosgw" ;;
  *) echo "SKIP $kind: there is no server" ;;
  esac
done
exit 0
