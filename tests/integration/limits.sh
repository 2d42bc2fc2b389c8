#!/bin/bash
# Memory: big objects, a small program, many cycles. Measured without sanitizers.
# timeout: 1500
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
requires pkg-config
[ -n "${ROMA_MFS_MASTER:-}" ] || skip "no MooseFS cluster"

plain=$SRC_DIR/_build-gcc
"$SRC_DIR/tests/build" "$plain" "all check-programs" --enable-werror CC=gcc >"$SCRATCH/build.log" 2>&1 ||
  { tail -n 20 "$SCRATCH/build.log"; fail "the build without sanitizers failed"; }
uri=mfs://$ROMA_MFS_MASTER
folder=limits-$$
mkdir -p "$ROMA_MFS_MOUNT/$folder" || fail "no folder on the mount"

# peak KiB COMMAND...: fails when the command fails or its peak resident size is above the limit; sets $threads
peak() {
  local limit=$1 kib out
  shift
  out=$(in_cluster "$plain/tests/integration/peak" "$@") || fail "$* failed: $out"
  read -r kib threads <<<"${out##*$'\n'}"
  echo "peak $kib KiB (at most $limit), $threads threads: ${1##*/} ${2:-}"
  [ "$kib" -le "$limit" ] || fail "$kib KiB resident, at most $limit are allowed: $*"
}

# 5 GiB, hardly any of it on this disk: a sparse source; on the servers it takes what zeros take.
big=${LIMITS_BIG:-5368709121}
truncate -s "$big" "$SCRATCH/big"
printf end | dd of="$SCRATCH/big" bs=1 seek=$((big - 3)) conv=notrunc status=none
peak 65536 "$plain/roma" put -q "$SCRATCH/big" "$uri/$folder/big"
[ "$(stat -c %s "$ROMA_MFS_MOUNT/$folder/big")" = "$big" ] || fail "the object has another length"
peak 65536 "$plain/roma" get -q "$uri/$folder/big" "$SCRATCH/back"
cmp "$SCRATCH/big" "$SCRATCH/back" || fail "other bytes came back"
rm -f "$SCRATCH/big" "$SCRATCH/back" "$ROMA_MFS_MOUNT/$folder/big"

export PKG_CONFIG_PATH=$plain/local
# shellcheck disable=SC2046 # several words are meant
cc -O2 -o "$SCRATCH/small" "$SRC_DIR/tests/integration/small.c" $(pkg-config --cflags --libs roma) \
  -Wl,-rpath,"$plain/.libs" || fail "the small program does not link by pkg-config"
head -c 300000 /dev/urandom >"$SCRATCH/file"
peak 6144 "$SCRATCH/small" "$uri/$folder" one "$SCRATCH/file"
[ "$threads" -le 5 ] || fail "$threads threads: more than the loop's and four workers"
cmp "$SCRATCH/file" "$ROMA_MFS_MOUNT/$folder/one" || fail "the small program stored other bytes"

cycles=${LIMITS_CYCLES:-20000}
grown=$(in_cluster "$plain/tests/integration/cycles" "$uri/$folder" "$cycles") || fail "cycles failed: $grown"
echo "after $cycles cycles: $grown KiB more than after the first twentieth"
[ "$grown" -le 1024 ] || fail "$grown KiB more resident after $cycles cycles, at most 1024 are allowed"
rm -rf "${ROMA_MFS_MOUNT:?}/$folder"
