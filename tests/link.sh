#!/bin/bash
# A program links to the uninstalled library by pkg-config alone and runs.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PKG_CONFIG_PATH=$BUILD_DIR/local
# shellcheck disable=SC2046,SC2086 # lists of options
$CC ${TEST_CFLAGS:-} -o "$scratch/link" "$SRC_DIR/tests/link.c" $(${PKG_CONFIG:-pkg-config} --cflags --libs roma)
"$scratch/link"
