#!/bin/bash
# The library builds with everything switched off that can be.
exec "$SRC_DIR/tests/build" "$SRC_DIR/_build-small" "all check-programs" \
  --enable-werror --disable-mfsproto --disable-wire --disable-cephio --disable-s3compat --disable-tools --disable-fuzz
