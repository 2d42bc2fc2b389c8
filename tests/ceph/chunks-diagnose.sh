#!/bin/bash
# roma chunks on a real Ceph: the objects that it names hold the bytes of the file, where the cluster says they are; and parts on
# the S3 gateway.
# timeout: 200
set -u
. "$SRC_DIR/tests/functions.sh"
. "$SRC_DIR/tests/ceph/functions.sh"
[ -e "$BUILD_DIR/.libs/cephio.so" ] || skip "the module for Ceph was not built"
cd "$SCRATCH" || exit 1
export AWS_ACCESS_KEY_ID=${ROMA_CEPH_S3_ACCESS:-} AWS_SECRET_ACCESS_KEY=${ROMA_CEPH_S3_SECRET:-}
unset AWS_SESSION_TOKEN AWS_PROFILE http_proxy HTTP_PROXY
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
"$ROMA" put -p big "$fs/chunks/big" || fail "put to CephFS"
pool=$(ceph exec ceph fs ls -f json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["data_pools"][0])')
holds "a file" "$fs/chunks/big" "$pool" "" big
# Striped over three objects: only a mount can say so beforehand.
mkdir mount
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
else
  echo "no ceph-fuse here, so no striped files: $(tail -n 1 fuse.log)"
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
"$ROMA" rm -r "$fs/chunks" || fail "rm"
exit 0
