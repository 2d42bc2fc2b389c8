#!/bin/bash
# Uploads at length, by hand, on every kind of store that there is a server for:
#   eval "$(tests/cluster/mfs env)"; eval "$(tests/cluster/ceph env)"; tests/byhand/uploads.sh [BUILD_FOLDER] [STORE...]
# STORE: file, mfs, cephfs, rados, s3 (all). Each gets
#   - PARTS=10000 parts of 1 byte to 3 KiB (on S3 4 KiB more: the test's gateway wants that much) from two processes at once,
#     listed, completed and compared; as many more, aborted; nothing is left;
#   - each step of an upload, killed after the first, second, third ... turn of its loop (EVERY=1);
#   - `roma upload` from several processes, as tests/contract/uploads.sh has it.
set -u
src=$(cd "$(dirname "$0")/../.." && pwd -P)
build=$(readlink -f "${1:-$src/_build}")
[ $# = 0 ] || shift
export SRC_DIR=$src BUILD_DIR=$build ROMA=$build/roma ROMA_MODULE_DIR=${ROMA_MODULE_DIR:-$build/.libs}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
parts=${PARTS:-10000}
# shellcheck source=tests/uploads.sh
. "$src/tests/uploads.sh"
cd "$work" || exit 1
export AWS_ACCESS_KEY_ID=${ROMA_CEPH_S3_ACCESS:-} AWS_SECRET_ACCESS_KEY=${ROMA_CEPH_S3_SECRET:-}
unset AWS_SESSION_TOKEN AWS_PROFILE http_proxy HTTP_PROXY
mfs_ns=${ROMA_MFS_NS:-}

# many ARGUMENT...: tests/contract/upload-many on the store.
many() { in_cluster "$build/tests/contract/upload-many" "$folder${query:-}" "$@"; }

put_many() { # KEY ID
  many "$1" put "$2" 1 2 "$parts" "$least" "$work/bytes" &
  local one=$!
  many "$1" put "$2" 2 2 "$parts" "$least" "$work/bytes" &
  wait $! && wait $one || fail "put"
}

many_parts() {
  local id
  least=1
  [ "$kind" != s3 ] || least=4096
  random_file bytes "$("$build/tests/contract/upload-many" "$parts" $least)"
  id=$(begin many) || fail "begin"
  put_many many "$id"
  many many complete "$id" "$parts" || fail "complete"
  holds many bytes
  nothing_left many
  id=$(begin many) || fail "begin"
  put_many many "$id"
  echo "abort:"
  many many abort "$id" || fail "abort"
  holds many bytes
  nothing_left many
  [ -z "$(roma ls --all "$folder/${query:-}" | grep -F .roma~)" ] || fail "something is left"
  roma rm "$(at many)" || fail "rm"
  echo "ok   $kind: $parts parts"
}

# Else the MDS keeps for 60 s what a client has that is gone.
cat >evict <<'END'
#!/bin/bash
. "$SRC_DIR/tests/functions.sh"
. "$SRC_DIR/tests/ceph/functions.sh"
evict "$1" || true
END
chmod +x evict

kills() {
  local after=()
  [ "$kind" != cephfs ] || after=(--after "$work/evict")
  in_cluster "$build/tests/contract/upload-kills" "$folder${query:-}" --every "${EVERY:-1}" "${after[@]}" || fail "kills"
}

store() {
  kind=$1 folder=$2 query=${3:-} replaces=no
  [ "$kind" != s3 ] || replaces=yes
  echo "== $kind"
  case $kind in
  s3) roma mb "$folder$query" || fail "mb" ;;
  rados) ;;
  *) roma mkdir "$folder" || fail "mkdir" ;;
  esac
  for check in ${CHECKS:-many_parts kills processes}; do $check; done
  roma rm -r "$folder/$query" || fail "rm -r"
  [ "$kind" != s3 ] || roma rb "$folder$query" || fail "rb"
}

processes() {
  case $kind in
  mfs) part=67108864 upload_suite 300000 ;;
  s3) upload_suite 5242880 ;;
  *) upload_suite 300000 ;;
  esac
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
  s3*+ceph) store s3 "s3://$name" "?endpoint=$ROMA_CEPH_S3&vendor=radosgw" ;;
  *) echo "SKIP $kind: there is no server" ;;
  esac
done
exit 0
