#!/bin/bash
# The library builds with everything switched off that can be, and with what is off by default switched on.
set -eu
build=$SRC_DIR/_build-small
"$SRC_DIR/tests/build" "$build" "all check-programs" --enable-werror --enable-usdt \
  --disable-mfsproto --disable-wire --disable-cephio --disable-s3compat --disable-tools --disable-fuzz
exec make -C "$build" check-TESTS TESTS=tests/usdt.sh
