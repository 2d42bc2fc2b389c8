#!/bin/bash
# second try: the libraries and servers of Ceph have races of their own
# roma upload on a real S3 gateway: several processes, and kill -9 at every step.
# timeout: 300
set -u
# shellcheck source=tests/ceph/s3-functions.sh
. "$SRC_DIR/tests/ceph/s3-functions.sh"
# shellcheck source=tests/uploads.sh
. "$SRC_DIR/tests/uploads.sh"
cd "$SCRATCH" || exit 1
# shellcheck disable=SC2034 # of uploads.sh
folder=s3://uploads-$$ replaces=yes
roma mb "$folder$query" || exit 1
upload_suite 5242880 4
for name in shared words; do roma rm "$(at $name)" || fail "rm"; done
roma rb "$folder$query" || fail "rb"
