#!/bin/bash
# The module for Ceph is found and brings its schemes; a program that opens no cephfs:// and no rados:// loads neither it
# nor anything of Ceph.
set -u
[ -e "$BUILD_DIR/.libs/cephio.so" ] || {
  echo "the module for Ceph was not built"
  exit 77
}
[ -e "$BUILD_DIR/roma" ] || {
  echo "the program was not built (--disable-tools)"
  exit 77
}
status=0
fail() {
  echo "FAIL: $*"
  status=1
}

exported=$(${NM:-nm} -D --defined-only "$BUILD_DIR/.libs/cephio.so" | awk '{ print $3 }' |
  grep -vE '^(__asan_|__odr_asan|__sancov_|__start_|__stop_)')
[ "$exported" = roma_module ] || fail "cephio.so exports: $exported"

loaded=$(LD_DEBUG=files "$BUILD_DIR/roma" ls "$BUILD_DIR/tests" 2>&1 >/dev/null | grep -E 'calling init: .*/(libceph|librados|cephio)[^/]*$')
[ -z "$loaded" ] || fail "a program without a URI of Ceph loads: $loaded"

# An authority that cannot be: refused by the module itself, before it looks for a cluster.
for scheme in cephfs rados; do
  said=$("$BUILD_DIR/roma" ls "$scheme://" 2>&1) && fail "roma ls $scheme:// succeeds"
  case $said in
  *"not installed"* | *"cannot be loaded"*) fail "$scheme: $said" ;;
  esac
done
exit $status
