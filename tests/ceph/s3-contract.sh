#!/bin/bash
# second try: the libraries and servers of Ceph have races of their own
# The contract suite on s3:// with a real gateway: all of it once, the parts that depend on the loop in each of the three
# ways.
# timeout: 900
set -u
if [ -z "${ROMA_CEPH_S3:-}" ] || [ ! -e "$BUILD_DIR/.libs/s3compat.so" ]; then
  echo "no S3 gateway, or the module for S3 was not built"
  exit 77
fi
export AWS_ACCESS_KEY_ID=$ROMA_CEPH_S3_ACCESS AWS_SECRET_ACCESS_KEY=$ROMA_CEPH_S3_SECRET
unset AWS_SESSION_TOKEN AWS_PROFILE http_proxy HTTP_PROXY
bucket=contract-$$
query="?endpoint=$ROMA_CEPH_S3&vendor=radosgw"
status=0
"$ROMA" mb "s3://$bucket$query" || exit 1
# What is listed is checked in a bucket of its own place: a prefix of a key, with a space in it.
"$BUILD_DIR/tests/contract/contract" "s3://$bucket/a b$query" "$@" || status=1
for loop in ev fd; do
  "$BUILD_DIR/tests/contract/contract" "s3://$bucket$query" --loop $loop --only async || status=1
done
"$ROMA" rb "s3://$bucket$query" || status=1
exit $status
