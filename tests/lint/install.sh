#!/bin/bash
# What `make install` puts down is enough to compile and run a program, and holds no private header.
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
make -s -C "$BUILD_DIR" install DESTDIR="$root" >/dev/null
pc=$(find "$root" -name roma.pc)
export PKG_CONFIG_PATH=${pc%/*}
# shellcheck disable=SC2046 # lists of options
gcc -o "$root/link" "$SRC_DIR/tests/link.c" $(pkg-config --define-prefix --cflags --libs roma)
LD_LIBRARY_PATH=$(dirname "${pc%/*}") "$root/link"
extra=$(find "$root" -name '*.h' -not -path '*/include/roma/*')
[ -z "$extra" ] || {
  printf 'FAIL: private headers were installed:\n%s\n' "$extra"
  exit 1
}
