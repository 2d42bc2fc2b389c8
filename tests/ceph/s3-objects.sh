#!/bin/bash
# Odd keys and all sizes on a real gateway: put and read again byte for byte, times and types kept, lists complete.
set -u
if [ -z "${ROMA_CEPH_S3:-}" ] || [ ! -e "$BUILD_DIR/.libs/s3compat.so" ]; then
  echo "no S3 gateway, or the module for S3 was not built"
  exit 77
fi
export AWS_ACCESS_KEY_ID=$ROMA_CEPH_S3_ACCESS AWS_SECRET_ACCESS_KEY=$ROMA_CEPH_S3_SECRET
unset AWS_SESSION_TOKEN AWS_PROFILE http_proxy HTTP_PROXY
cd "$SCRATCH" || exit 1
bucket=objects-$$
query="?endpoint=$ROMA_CEPH_S3&vendor=radosgw"
uri=s3://$bucket
status=0
fail() {
  echo "FAIL: $*"
  status=1
}
"$ROMA" mb "$uri$query" || exit 1
"$ROMA" mb "$uri$query" 2>/dev/null
head -c 73400321 /dev/urandom >data
echo "of no matter" >words
for size in 0 1 16777216 16777217 73400321; do
  head -c $size data >part
  touch -d '2020-02-03 04:05:06.789 UTC' part
  "$ROMA" put --keep-times part "$uri/sizes/$size.txt$query" || fail "put $size"
  "$ROMA" cat "$uri/sizes/$size.txt$query" | cmp - part || fail "size $size"
  "$ROMA" stat "$uri/sizes/$size.txt$query" | grep -q "length: $size\$" || fail "length of $size"
done
"$ROMA" stat --json "$uri/sizes/1.txt$query" | grep -q '"mtime_ns": *1580702706789000000' || fail "the time was not kept"
# Of unknown length, and parts of 5 MiB
"$ROMA" put - "$uri/pipe?${query#\?}&part=5M" <data || fail "put from a pipe"
"$ROMA" cat "$uri/pipe$query" | cmp - data || fail "from a pipe"
"$ROMA" cat --offset 8388600 --length 20 "$uri/pipe$query" | cmp - <(tail -c +8388601 data | head -c 20) || fail "a range"
"$ROMA" put --if-absent words "$uri/pipe$query" 2>/dev/null
[ $? = 9 ] || fail "if-absent over an object"
"$ROMA" put --if-absent words "$uri/new$query" || fail "if-absent"
"$ROMA" put --if-absent part "$uri/long$query" 2>err && fail "if-absent of more than one request can carry"
grep -q "64 MiB" err || fail "no word about the limit: $(cat err)"

keys=('sp ace' 'plus+' 'per%25cent' 'double//slash' './dot' '../dots' '.hidden' 'ünïcode-日本' "quo'te\"" 'a&b=c;d' '~*()!$,@:[]' 'slash/' "$(printf 'k%.0s' {1..1024})")
for key in "${keys[@]}"; do
  # A slash at the end means a folder to put: by way of a writer on that very key it is an object.
  case $key in */) continue ;; esac
  printf %s "$key" >small
  "$ROMA" put small "$uri/$key$query" || fail "put $key"
  "$ROMA" cat "$uri/$key$query" | cmp - small || fail "key $key"
done
"$ROMA" put small "$uri/$(printf 'k%.0s' {1..1025})$query" 2>err && fail "a key of 1025 bytes"
[ "$("$ROMA" ls -r "$uri/$query" | wc -l)" = 19 ] || fail "the list has $("$ROMA" ls -r "$uri/$query" | wc -l) names"
# Such a key is only a name there, but a way out of the destination here.
for key in tree/../../dots tree/plain; do
  "$ROMA" put small "$uri/$key$query" || fail "put $key"
done
mkdir deep
"$ROMA" get -r "$uri/tree$query" deep/out 2>err && fail "get -r of a key with .. ended well"
grep -q 'leads out of deep/out' err || fail "get -r of a key with ..: $(cat err)"
cmp small deep/out/plain || fail "get -r left out more"
if [ -e dots ] || [ -e deep/dots ]; then fail "a key led out of the destination"; fi
curl -sS -o /dev/null -D headers "$("$ROMA" presign "$uri/sizes/1.txt$query")"
grep -qi '^content-type: text/plain' headers || fail "the type was not guessed"
"$ROMA" rb "$uri$query" 2>/dev/null && fail "a bucket that is not empty was removed"
# Keys are AWS V2 too, and wrong ones are refused without showing them.
"$ROMA" cat "$uri/new$query&dialect=aws2" | cmp - words || fail "dialect aws2"
AWS_SECRET_ACCESS_KEY=wrongwrongwrong "$ROMA" stat "$uri/new$query" 2>err && fail "a wrong key was accepted"
grep -q wrongwrong err && fail "the key was shown"
"$ROMA" rm -r "$uri/$query" 2>/dev/null
"$ROMA" ls -r "$uri/$query" | while read -r key; do "$ROMA" rm "$uri/${key//%/%25}$query"; done
"$ROMA" rb "$uri$query" || { fail "the bucket stays"; "$ROMA" ls -r "$uri/$query"; }
exit $status
