#!/bin/bash
# Content types, headers and metadata on a real gateway: what put gives an object is what stat and other clients see.
set -u
if [ -z "${ROMA_CEPH_S3:-}" ] || [ ! -e "$BUILD_DIR/.libs/s3compat.so" ]; then
  echo "no S3 gateway, or the module for S3 was not built"
  exit 77
fi
export AWS_ACCESS_KEY_ID=$ROMA_CEPH_S3_ACCESS AWS_SECRET_ACCESS_KEY=$ROMA_CEPH_S3_SECRET
unset AWS_SESSION_TOKEN AWS_PROFILE http_proxy HTTP_PROXY
cd "$SCRATCH" || exit 1
bucket=meta-$$
query="?endpoint=$ROMA_CEPH_S3&vendor=radosgw"
uri=s3://$bucket
status=0
fail() {
  echo "FAIL: $*"
  status=1
}
"$ROMA" mb "$uri$query" || exit 1
head -c 20000000 /dev/urandom >long
echo "of no matter" >words
props=(--content-type 'text/x-odd; charset=utf-8' --cache-control 'max-age=60, public' --disposition 'attachment; filename="a b.txt"'
  --header 'Content-Language: de' --header 'Expires: Thu, 01 Dec 2033 16:00:00 GMT' --meta 'Colour=dark blue' --meta "odd-~name=;,:%20=\"'+"
  --meta "many=$(head -c 1500 /dev/zero | tr '\0' x)")
# shows KEY: all of them
shows() {
  "$ROMA" stat --json "$uri/$1$query" >shown || fail "stat $1"
  for field in '"content-type": *"text/x-odd; charset=utf-8"' '"cache-control": *"max-age=60, public"' \
    '"content-disposition": *"attachment; filename=\\"a b.txt\\""' '"content-language": *"de"' '"expires": *"Thu, 01 Dec 2033' \
    '"colour": *"dark blue"' "\"odd-~name\": *\";,:%20=\\\\\"'+\"" '"many": *"x\{1500\}"'; do
    grep -q -- "$field" shown || fail "$1: no $field in $(cat shown)"
  done
}
for dialect in aws4 aws2; do
  "$ROMA" put "${props[@]}" words "$uri/words-$dialect$query&dialect=$dialect" || fail "put, $dialect"
  shows words-$dialect
done
"$ROMA" put "${props[@]}" --keep-times long "$uri/long$query" || fail "put in parts"
shows long
grep -q "\"mtime_ns\": *$(stat -c %Y long)" shown || fail "the time was lost: $(cat shown)"
"$ROMA" cat "$uri/long$query" | cmp - long || fail "the bytes in parts"
"$ROMA" put "${props[@]}" - "$uri/pipe$query&part=5M" <long || fail "put from a pipe"
shows pipe
"$ROMA" put --resume "${props[@]}" long "$uri/resumed$query" || fail "put --resume"
shows resumed
id=$("$ROMA" upload begin "${props[@]}" "$uri/steps$query") || fail "upload begin"
"$ROMA" upload part --upload-id "$id" --part 1 words "$uri/steps$query" >/dev/null || fail "upload part"
"$ROMA" upload complete --upload-id "$id" "$uri/steps$query" || fail "upload complete"
shows steps
curl -sS -o body -D headers "$("$ROMA" presign "$uri/words-aws4$query")"
cmp body words || fail "the bytes by curl"
tr -d '\r' <headers >lines
for line in 'content-type: text/x-odd; charset=utf-8' 'cache-control: max-age=60, public' 'content-disposition: attachment; filename="a b.txt"' \
  'x-amz-meta-colour: dark blue'; do
  grep -qixF -- "$line" lines || fail "curl does not see $line: $(cat lines)"
done
# What replaces an object has nothing of the old one.
"$ROMA" put words "$uri/words-aws4$query" || fail "put over it"
"$ROMA" stat "$uri/words-aws4$query" >shown
if grep -q 'metadata:\|cache-control' shown; then fail "something of the old one stayed: $(cat shown)"; fi
# What the server refuses is an error with its word, and nothing is there.
"$ROMA" put --header 'x-amz-acl: no-such-acl' words "$uri/none$query" 2>err && fail "an ACL that there is not"
"$ROMA" stat "$uri/none$query" 2>/dev/null && fail "it was put in spite of it"
"$ROMA" put --header 'x-amz-acl: public-read' words "$uri/open$query" || fail "an ACL"
curl -sSf -o body "$ROMA_CEPH_S3/$bucket/open" || fail "nobody can read it"
cmp body words || fail "the bytes for nobody"
"$ROMA" rm -r "$uri/$query" || fail "rm -r"
"$ROMA" ls -r "$uri/$query" | while read -r key; do "$ROMA" rm "$uri/$key$query"; done
"$ROMA" rb "$uri$query" || fail "the bucket stays"
exit $status
