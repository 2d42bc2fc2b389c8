#!/bin/bash
# The asynchronous interface on a local folder: a heartbeat in a loop with a thousand operations in flight, two loops
# in two threads, and one put and get with each allocation and each system call of the loop failing once.
# timeout: 900
set -u
folder=$(mktemp -d "${SCRATCH:-/tmp}/async-XXXXXX")
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/a" "$folder/b" "$folder/c"
status=0
programs=$BUILD_DIR/tests/async

"$programs/heartbeat" "file://$folder/a" --loop ev --only-file || status=1
"$programs/heartbeat" "file://$folder/a" --loop fd --only-file || status=1
"$programs/threads" "file://$folder/a" "file://$folder/b" || status=1
"$programs/torture" malloc "file://$folder/c" || status=1
"$programs/torture" socket "file://$folder/c" || status=1
exit $status
