#!/bin/bash
# second try: the libraries and servers of Ceph have races of their own
# roma upload on a real S3 gateway: several processes, and kill -9 at every step.
# timeout: 300
set -u
if [ -z "${ROMA_CEPH_S3:-}" ] || [ ! -e "$BUILD_DIR/.libs/s3compat.so" ]; then
  echo "no S3 gateway, or the module for S3 was not built"
  exit 77
fi
# shellcheck source=tests/uploads.sh
. "$SRC_DIR/tests/uploads.sh"
cd "$SCRATCH" || exit 1
export AWS_ACCESS_KEY_ID=$ROMA_CEPH_S3_ACCESS AWS_SECRET_ACCESS_KEY=$ROMA_CEPH_S3_SECRET
unset AWS_SESSION_TOKEN AWS_PROFILE http_proxy HTTP_PROXY
# shellcheck disable=SC2034 # of uploads.sh
folder=s3://uploads-$$ query="?endpoint=$ROMA_CEPH_S3&vendor=radosgw" replaces=yes
roma mb "$folder$query" || exit 1
upload_suite 5242880
for name in shared words; do roma rm "$(at $name)" || fail "rm"; done
roma rb "$folder$query" || fail "rb"
