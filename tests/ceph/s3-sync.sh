#!/bin/bash
# second try: the libraries and servers of Ceph have races of their own
# roma sync to and from a real S3 gateway: killed twice, ends equal; what is equal is not moved again.
# timeout: 300
set -u
# shellcheck source=tests/ceph/s3-functions.sh
. "$SRC_DIR/tests/ceph/s3-functions.sh"
# shellcheck source=tests/sync.sh
. "$SRC_DIR/tests/sync.sh"
cd "$SCRATCH" || exit 1
bucket=s3://sync-$$
roma mb "$bucket$query" || exit 1
make_tree tree
sync_suite tree tree "$bucket/copy$query"
rm -r tree/d3
echo new >tree/d4/new
told '1 copied, 941 the same, 59 removed' roma sync --delete tree "$bucket/copy$query"
equal_to tree "$bucket/copy$query"
# From a bucket, and within it
told '942 copied, 0 the same, 0 removed' roma sync "$bucket/copy$query" again
told '0 copied, 942 the same, 0 removed' roma sync "$bucket/copy$query" again
diff -r tree again || fail "what came back differs"
told '942 copied, 0 the same, 0 removed' roma sync "$bucket/copy$query" "$bucket/second$query"
told '0 copied, 942 the same, 0 removed' roma sync "$bucket/copy$query" "$bucket/second$query"
roma rm -r "$bucket/copy$query" || fail "rm -r"
roma rm -r "$bucket/second$query" || fail "rm -r"
roma rb "$bucket$query" || fail "rb"
