#!/bin/bash
# second try: the libraries and servers of Ceph have races of their own
# The contract suite on s3:// with a real gateway: all of it once, the parts that depend on the loop in each of the three
# ways.
# timeout: 900
set -u
# shellcheck source=tests/ceph/s3-functions.sh
. "$SRC_DIR/tests/ceph/s3-functions.sh"
bucket=contract-$$
status=0
"$ROMA" mb "s3://$bucket$query" || exit 1
# What is listed is checked in a bucket of its own place: a prefix of a key, with a space in it.
"$BUILD_DIR/tests/contract/contract" "s3://$bucket/a b$query" "$@" || status=1
for loop in ev fd; do
  "$BUILD_DIR/tests/contract/contract" "s3://$bucket$query" --loop $loop --only async || status=1
done
"$ROMA" rb "s3://$bucket$query" || status=1
exit $status
