#!/bin/bash
# roma chunks on a real Ceph: the objects that it names hold the bytes of the file, where the cluster says they are; and parts on
# the S3 gateway. roma diagnose: objects that are changed, cut or gone are found and named, and clean ones raise no alarm.
# timeout: 200
set -u
. "$SRC_DIR/tests/functions.sh"
. "$SRC_DIR/tests/ceph/functions.sh"
[ -e "$BUILD_DIR/.libs/cephio.so" ] || skip "the module for Ceph was not built"
cd "$SCRATCH" || exit 1
export AWS_ACCESS_KEY_ID=${ROMA_CEPH_S3_ACCESS:-} AWS_SECRET_ACCESS_KEY=${ROMA_CEPH_S3_SECRET:-}
unset AWS_SESSION_TOKEN AWS_PROFILE AWS_CA_BUNDLE http_proxy HTTP_PROXY
ns=chunks-$$
rados="rados://$ROMA_CEPH_POOL" options="?ns=$ns" query="?endpoint=${ROMA_CEPH_S3:-}&vendor=radosgw"
head -c 9500000 /dev/urandom >big
head -c 1000 big >small

# rebuild FILE POOL NAMESPACE: the bytes of the objects in FILE (of chunks --json), put together by offsets and stripes; also
# that the cluster itself says the same about the place of the first.
rebuild() {
  python3 - "$@" <<'END'
import json, subprocess, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
pool, ns = sys.argv[2:4]
rados = ["rados", "-p", pool] + (["-N", ns] if ns else [])
whole = bytearray()
for row in rows:
    assert row["state"] == "there" and row["stored"] == row["length"], row
    data = subprocess.run(rados + ["get", row["object"], "-"], stdout=subprocess.PIPE, check=True).stdout
    assert len(data) == row["length"], (len(data), row)
    unit = row.get("stripe_unit", 1 << 30)
    step = unit * row.get("stripe_count", 1)
    for k in range(0, len(data), unit):
        at = row["offset"] + k // unit * step
        piece = data[k:k + unit]
        if len(whole) < at + len(piece):
            whole.extend(bytes(at + len(piece) - len(whole)))
        whole[at:at + len(piece)] = piece
row = rows[0]
said = json.loads(subprocess.run(["ceph", "osd", "map", pool, row["object"]] + ([ns] if ns else []) + ["-f", "json"],
                                 stdout=subprocess.PIPE, check=True).stdout)
assert said["pgid"] == row["group"], (said, row)
assert said["acting"] == [c["osd"] for c in row["copies"]], (said, row)
assert [c["osd"] for c in row["copies"] if c["primary"]] == [said["acting_primary"]], (said, row)
assert all(c["host"] and ":" in c["address"] and "root=" in c["where"] for c in row["copies"]), row
sys.stdout.buffer.write(bytes(whole))
END
}

# holds NAME URI POOL NAMESPACE FILE
holds() {
  "$ROMA" chunks --json "$2" >rows || fail "chunks of $1: exit $?"
  rebuild rows "$3" "$4" >whole || fail "$1: the objects: $(head -c 600 rows)"
  cmp whole "$5" || fail "$1: the objects do not hold the file"
}

"$ROMA" put big "$rados/big$options" || fail "put"
"$ROMA" put small "$rados/small$options" || fail "put"
"$ROMA" put small "$rados/plain$options&raw=1" || fail "put"
holds "pieces" "$rados/big$options" "$ROMA_CEPH_POOL" "$ns" big
[ "$(wc -l <rows)" = 3 ] || fail "9500000 bytes are $(wc -l <rows) pieces"
holds "a small object" "$rados/small$options" "$ROMA_CEPH_POOL" "$ns" small
holds "a plain object" "$rados/plain$options&raw=1" "$ROMA_CEPH_POOL" "$ns" small
"$ROMA" chunks --crc --json "$rados/big$options" >rows || fail "chunks --crc: exit $?"
[ "$(grep -c '"checksum": *"crc32c:' rows)" = 3 ] || fail "no checksums: $(cat rows)"
"$ROMA" chunks "$rados/big$options" >text || fail "chunks for people"
grep -q "^ *2  d/.*byte 8388608, 1111392 bytes  pg .* on osd" text || fail "for people: $(cat text)"

fs=cephfs://$ROMA_CEPH_FS
"$ROMA" rm -r "$fs/chunks" >/dev/null 2>&1 # of a run that was ended
"$ROMA" put -p big "$fs/chunks/big" || fail "put to CephFS"
pool=$(ceph exec ceph fs ls -f json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["data_pools"][0])')
holds "a file" "$fs/chunks/big" "$pool" "" big
# Striped over three objects: only a mount can say so beforehand.
mkdir mount
# Whatever ends the script: no mount stays behind, and no process that serves it.
trap 'umount -l mount 2>/dev/null' EXIT
if ceph exec ceph-fuse --client_fs "$ROMA_CEPH_FS" "$PWD/mount" >fuse.log 2>&1; then
  python3 - <<'END' || fail "a folder for striped files"
import os
os.mkdir("mount/chunks/striped")
for k, v in (("stripe_unit", b"65536"), ("stripe_count", b"3"), ("object_size", b"262144")):
    os.setxattr("mount/chunks/striped", "ceph.dir.layout." + k, v)
END
  umount mount || fail "umount"
  for size in 1 65537 786432 1234567; do
    head -c $size big >part
    "$ROMA" put part "$fs/chunks/striped/$size" || fail "put"
    holds "$size striped bytes" "$fs/chunks/striped/$size" "$pool" "" part
  done
elif [ "${CI:-}" = true ]; then
  fail "no mount by ceph-fuse, so no striped files: $(tail -n 1 fuse.log)"
else
  echo "no mount by ceph-fuse here, so no striped files: $(tail -n 1 fuse.log)"
fi

if [ -n "${ROMA_CEPH_S3:-}" ] && [ -e "$BUILD_DIR/.libs/s3compat.so" ]; then
  s3=s3://$ns
  "$ROMA" mb "$s3$query" || fail "mb"
  "$ROMA" put - "$s3/parts?part=5M&${query#\?}" <big || fail "put of parts"
  "$ROMA" put small "$s3/small$query" || fail "put"
  "$ROMA" chunks --json "$s3/parts$query" >rows || fail "chunks of parts"
  [ "$(wc -l <rows)" = 2 ] || fail "parts: $(cat rows)"
  grep -q '"etag": *"[0-9a-f]*-2"' rows || fail "no etag: $(cat rows)"
  "$ROMA" chunks "$s3/small$query" >text || fail "chunks of an object"
  grep -q "etag $(md5sum <small | cut -d' ' -f1)" text || fail "no etag: $(cat text)"
fi

"$ROMA" chunks "$rados/none$options" 2>err
[ $? = 3 ] || fail "chunks of nothing: $(cat err)"
"$ROMA" chunks "$fs/chunks" 2>err && fail "chunks of a folder"
"$ROMA" chunks big 2>err && fail "chunks of a local file"
grep -q "does not say" err || fail "a local file: $(cat err)"
# ---- roma diagnose: 0 clean, 1 differs, 2 cannot tell

# told EXIT WORDS ARGUMENT...: diagnose ends so, and says this in JSON.
told() {
  local want=$1 words=$2 status
  shift 2
  "$ROMA" diagnose --json "$@" >said 2>err
  status=$?
  [ $status = "$want" ] || fail "diagnose $*: exit $status and not $want: $(cat said err)"
  grep -q "$words" said || fail "diagnose $*: no word of \"$words\": $(cat said)"
}
# name N: the Nth object of the last `chunks --json`.
name() { sed -n "$1s/.*\"object\": *\"\([^\"]*\)\".*/\1/p" rows; }
in_pool() { ceph exec rados -p "$ROMA_CEPH_POOL" -N "$ns" "$@"; }

md5=$(md5sum <big | cut -d' ' -f1)
for way in "" --deep "--against big" "--against $md5"; do
  # shellcheck disable=SC2086
  told 0 '"verdict": *"clean"' $way "$rados/big$options"
  # shellcheck disable=SC2086
  told 0 '"verdict": *"clean"' $way "$fs/chunks/big"
done
told 1 '"kind": *"length"' --against small "$rados/big$options"
told 1 '"kind": *"md5"' --against "$(printf '0%.0s' {1..32})" "$rados/big$options"
told 2 '"verdict": *"unknown"' "$rados/none$options"

# One byte of the second piece, one that is too short, one that is gone.
"$ROMA" chunks --json "$rados/big$options" >rows
in_pool get "$(name 2)" piece || fail "rados get"
cp piece bad
printf X | dd of=bad bs=1 seek=70000 conv=notrunc 2>/dev/null
cmp -s piece bad && printf Y | dd of=bad bs=1 seek=70000 conv=notrunc 2>/dev/null
in_pool put "$(name 2)" bad || fail "rados put"
told 0 '"kind": *"unread"' "$rados/big$options"
told 1 '"kind": *"crc32"' --deep "$rados/big$options"
told 1 '"first_block": *65, *"blocks": *1,' --against big "$rados/big$options"
grep -q '"first_difference": *4264304\b' said || fail "the place of the byte: $(cat said)"
grep -q "\"object\": *\"$(name 2)\"" said || fail "the object of the byte: $(cat said)"
head -c 100000 piece >bad
in_pool put "$(name 2)" bad || fail "rados put"
told 1 '"kind": *"size"' "$rados/big$options"
in_pool rm "$(name 2)" || fail "rados rm"
told 1 '"kind": *"missing"' "$rados/big$options"
told 1 '"kind": *"unreadable"' --against big "$rados/big$options"
"$ROMA" chunks "$rados/big$options" >text 2>err
[ $? = 7 ] || fail "chunks of a lost piece"

# No bytes at all are nothing bad.
: >none
"$ROMA" put none "$rados/no-bytes$options&raw=1" || fail "put"
told 0 '"verdict": *"clean"' --deep "$rados/no-bytes$options&raw=1"

# What lists name though it is not there was not removed: with -r it is told, too.
told 1 "\"key\": *\"$rados/small\", *\"verdict\": *\"clean\"" -r "$rados$options"
in_pool rm h/small || fail "rados rm"
told 1 "\"key\": *\"$rados/small\", *\"verdict\": *\"unknown\"" -r "$rados$options"
grep -q "small: lists name it" err || fail "no word of the lost key: $(cat err)"

# An object of a file on CephFS that is gone reads as zeros, as a hole does.
"$ROMA" chunks --json "$fs/chunks/big" >rows
ceph exec rados -p "$pool" rm "$(name 2)" || fail "rados rm"
told 2 '"kind": *"missing"' "$fs/chunks/big"
told 1 '"pattern": *"zero-hole"' --against big "$fs/chunks/big"
grep -q '"first_block": *64, *"blocks": *64,' said || fail "the hole: $(cat said)"
told 1 '"kind": *"md5"' --against "$md5" "$fs/chunks/big"
{ head -c 4194304 big && head -c 4194304 /dev/zero && tail -c +8388609 big; } >holed
told 0 '"verdict": *"clean"' --against holed "$fs/chunks/big"

if [ -e "$BUILD_DIR/.libs/s3compat.so" ] && [ -n "${ROMA_CEPH_S3:-}" ]; then
  told 0 '"kind": *"etag", *"weight": *"info"' "$s3/parts$query"
  told 0 '"verdict": *"clean"' --against small "$s3/small$query"
  told 1 '"kind": *"length"' --against big "$s3/small$query"
  data=$(ceph exec ceph osd pool ls | grep 'rgw.buckets.data$')
  object=$(ceph exec radosgw-admin bucket stats --bucket "$ns" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["marker"] + "_small")')
  { head -c 400 small && printf 'other bytes' && tail -c +412 small; } >bad
  ceph exec rados -p "$data" put "$object" bad || fail "rados put"
  told 1 '"kind": *"etag", *"weight": *"bad"' "$s3/small$query"
  told 1 '"first_difference": *40[0-9],' --against small "$s3/small$query"
fi

"$ROMA" rm -r "$fs/chunks" || fail "rm"
exit 0
