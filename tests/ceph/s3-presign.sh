#!/bin/bash
# Links and forms made by roma, used by curl, which has no keys: they do what they say and nothing else.
set -u
# shellcheck source=tests/ceph/s3-functions.sh
. "$SRC_DIR/tests/ceph/s3-functions.sh"
command -v curl >/dev/null || {
  echo "no curl"
  exit 77
}
cd "$SCRATCH" || exit 1
bucket=presign-$$
uri=s3://$bucket
status=0
fail() {
  echo "FAIL: $*"
  status=1
}
http() { curl -sS -o answer -w '%{http_code}' "$@"; }
# want STATUS WHAT CURL-ARGUMENT...
want() {
  local code=$1 what=$2 got
  shift 2
  got=$(http "$@")
  [ "$got" = "$code" ] || fail "$what: HTTP $code expected, got $got: $(head -c 300 answer)"
}
# form FILE CURL-ARGUMENT...: the form in FILE, as roma prints it
form() {
  local url args=() line
  { read -r url; while read -r line; do args+=(-F "$line"); done; } <"$1"
  shift
  FORM_URL=$url
  FORM_ARGS=("${args[@]}")
}

head -c 100000 /dev/urandom >data
"$ROMA" mb "$uri$query" || exit 1
for dialect in ${DIALECTS:-aws4 aws2}; do
  q="$query&dialect=$dialect"
  key="dir/ä b+c%25.bin"
  url=$("$ROMA" presign --method PUT "$uri/$key$q") || fail "presign PUT"
  case $url in *"$AWS_SECRET_ACCESS_KEY"*) fail "the secret is in the link" ;; esac
  want 200 "$dialect: PUT" -T data "$url"
  "$ROMA" cat "$uri/$key$query" | cmp - data || fail "$dialect: other bytes are there"
  url=$("$ROMA" presign --content-type text/x-test --disposition 'attachment; filename="x y"' "$uri/$key$q")
  want 200 "$dialect: GET" -D headers "$url"
  cmp answer data || fail "$dialect: other bytes came"
  grep -qi '^content-type: text/x-test' headers || fail "$dialect: not the type that was asked for"
  grep -qi '^content-disposition: attachment; filename="x y"' headers || fail "$dialect: not the disposition"
  want 403 "$dialect: PUT by a link for GET" -T data "$url"
  want 403 "$dialect: another key" "${url/dir/dix}"
  url=$("$ROMA" presign --expires 1s "$uri/$key$q")
  sleep 2.5
  want 403 "$dialect: expired" "$url"
  url=$("$ROMA" presign --method PUT --content-type text/plain "$uri/$key$q" | head -n 1)
  want 403 "$dialect: PUT with another type" -T data -H 'Content-Type: image/png' "$url"
  want 200 "$dialect: PUT with the type" -T data -H 'Content-Type: text/plain' "$url"
  url=$("$ROMA" presign --method DELETE "$uri/$key$q")
  want 204 "$dialect: DELETE" -X DELETE "$url"
  "$ROMA" stat "$uri/$key$query" >/dev/null 2>&1 && fail "$dialect: it is still there"
  id=$("$ROMA" upload begin "$uri/$key$query") || fail "upload begin"
  url=$("$ROMA" presign --upload-id "$id" --part 1 "$uri/$key$q") || fail "presign --part"
  want 200 "$dialect: a part" -T data "$url"
  want 403 "$dialect: another part" -T data "${url/partNumber=1/partNumber=2}"
  "$ROMA" upload complete --upload-id "$id" "$uri/$key$query" || fail "$dialect: complete of a part that curl has put"
  "$ROMA" cat "$uri/$key$query" | cmp - data || fail "$dialect: the part has other bytes"
  "$ROMA" rm "$uri/$key$query" || fail "rm"

  "$ROMA" presign --method POST --content-type image/ --min-size 10 --max-size 100000 "$uri/up/exact$q" >exact ||
    fail "$dialect: presign POST"
  form exact
  want 204 "$dialect: form" "${FORM_ARGS[@]}" -F 'Content-Type=image/png' -F file=@data "$FORM_URL"
  "$ROMA" cat "$uri/up/exact$query" | cmp - data || fail "$dialect: the form stored other bytes"
  want 403 "$dialect: form with another type" "${FORM_ARGS[@]}" -F 'Content-Type=text/html' -F file=@data "$FORM_URL"
  head -c 100001 /dev/zero >long
  want 400 "$dialect: form with a file that is too long" "${FORM_ARGS[@]}" -F 'Content-Type=image/png' -F file=@long "$FORM_URL"
  "$ROMA" presign --method POST --prefix "$uri/any/$q" >any || fail "$dialect: presign POST --prefix"
  form any
  want 204 "$dialect: form with a prefix" "${FORM_ARGS[@]}" -F file=@data "$FORM_URL"
  "$ROMA" cat "$uri/any/data$query" | cmp - data || fail "$dialect: the form with a prefix stored other bytes"
  "$ROMA" rm "$uri/up/exact$query" "$uri/any/data$query" || fail "rm"
done
"$ROMA" presign file:///tmp/x 2>err && fail "a folder has links"
grep -q 's3, oss, obs and minio' err || fail "no word about which stores have links: $(cat err)"
"$ROMA" rb "$uri$query" || status=1
exit $status
