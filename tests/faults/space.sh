#!/bin/bash
# No room on MooseFS: no chunkserver, full disks, a quota. Nothing half-made is seen, and old contents stay.
# timeout: 1200
set -u
# shellcheck source=tests/faults/functions.sh
. "$SRC_DIR/tests/faults/functions.sh"
trap 'cluster down --dir "$SCRATCH/full"; clean_up' EXIT
random_file big $((700 * MB))
random_file small 100000

# A quota on a folder
mkdir "$mounted/quota"
in_cluster mfssetquota -L 10Mi "$mounted/quota" >out 2>&1 || fail "mfssetquota: $(cat out)"
expect 0 roma put small "$uri/quota/fits"
expect 6 limited 200 put big "$uri/quota/fits"
says "$uri/quota/fits" quota
same small "$mounted/quota/fits"
expect 6 limited 200 put big "$uri/quota/new"
says "$uri/quota/new" quota
absent 'over quota' "$mounted/quota/new"
nothing_left

# No chunkserver at all
expect 0 roma put small "$uri/object"
for i in 1 2 3; do cluster kill cs$i; done
expect 5 limited 100 put --deadline 10s big "$uri/new"
says "$uri/new" chunkserver
expect 5 limited 100 get --deadline 10s "$uri/object" got
says "$uri/object" chunkserver
absent 'no chunkserver' got "$mounted/new"
expect 0 limited 100 ls "$uri" >out
cluster heal
nothing_left
expect 0 roma get "$uri/object" got
same small got

# Full disks, on a cluster of its own
cluster up --dir "$SCRATCH/full" --net 10.77.30 --chunkservers 2 --cs-size 300M --join "$ROMA_MFS_DIR" ||
  fail 'the small cluster does not come up'
full=mfs://10.77.30.1
expect 0 roma put small "$full/object"
expect 6 limited 200 put big "$full/object"
says "$full/object" 'no room'
expect 6 limited 200 put big "$full/new"
says "$full/new" 'no room'
expect 0 roma ls --all "$full" >out
[ "$(grep -v / out)" = object ] || fail "a full cluster: $(cat out)"
expect 0 roma get "$full/object" got
same small got
