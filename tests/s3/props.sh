#!/bin/bash
# Headers and metadata of objects, by a scripted server: what is sent, under which names, what is signed, what is refused
# before anything is sent, and what stat shows.
set -u
# shellcheck source=tests/s3/functions.sh
. "$SRC_DIR/tests/s3/functions.sh"

put_ok=('HTTP/1.1 200 OK' 'ETag: "5d41402abc4b2a76b9719d911017c592"' 'Content-Length: 0' '')
props=(--content-type 'text/x-odd; charset=utf-8' --cache-control 'max-age=60, public' --disposition 'attachment; filename="a b"'
  --meta 'Colour=dark  blue' --meta 'equation=a=b' --header 'Content-Language: de')
# sent LINE [COUNT]: among the headers of all requests, as it is
sent() {
  local n
  n=$(tr -d '\r' <"$folder/log" | grep -cxF -- "$1")
  [ "$n" = "${2:-1}" ] || fail "\"$1\" was sent $n times, not ${2:-1}: $(cat "$folder/log")"
}

for how in 'radosgw aws4 x-amz-' 'radosgw aws2 x-amz-' 'aws aws4 x-amz-' 'oss oss4 x-oss-' 'oss oss1 x-oss-' 'obs obs x-obs-'; do
  read -r vendor dialect prefix <<<"$how"
  begin "put with props, $dialect of $vendor"
  free_name
  answer "${put_ok[@]}"
  more="&dialect=$dialect&addressing=path&checksum=none" go 0 put "${props[@]}" --header "${prefix}storage-class: COLD" "$work/five" s3://b/k.txtQUERY
  sent 'Content-Type: text/x-odd; charset=utf-8'
  [ "$(grep -ci '^content-type:' "$folder/log")" = 1 ] || fail "more than one type was sent"
  sent 'Cache-Control: max-age=60, public'
  sent 'Content-Disposition: attachment; filename="a b"'
  sent 'Content-Language: de'
  sent "${prefix}meta-colour: dark  blue"
  sent "${prefix}meta-equation: a=b"
  sent "${prefix}storage-class: COLD"
  tr -d '\r' <"$folder/log" | sed -n '/^PUT /,/^$/p' >"$work/put"
  header() { sed -n "s/^$1: //Ip" "$work/put"; }
  case $dialect in
  aws4)
    for name in cache-control content-disposition content-language content-type x-amz-meta-colour x-amz-meta-equation x-amz-storage-class; do
      header authorization | grep -q "SignedHeaders=.*\b$name\b" || fail "$name is not signed: $(header authorization)"
    done
    ;;
  aws2 | oss1 | obs)
    # The signature again, by openssl.
    date=$(header date)
    if [ -n "$(header x-amz-date)" ]; then date=; fi
    text="PUT"$'\n'"$(header content-md5)"$'\n'"$(header content-type)"$'\n'"$date"$'\n'
    text+=$(grep -i "^$prefix" "$work/put" | sed 's/^\([^:]*\): /\L\1\E:/' | LC_ALL=C sort)$'\n'"/b/k.txt"
    want=$(printf %s "$text" | openssl dgst -sha1 -hmac "$AWS_SECRET_ACCESS_KEY" -binary | base64)
    header authorization | grep -qF ":$want" || fail "the signature is not $want: $(header authorization)"
    ;;
  esac
done
vendor=radosgw

begin "multipart: they come with the beginning, once"
free_name
head_of 12000
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<InitiateMultipartUploadResult><UploadId>UP1</UploadId></InitiateMultipartUploadResult>'
for _ in 1 2 3; do answer 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''; done
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<CompleteMultipartUploadResult><ETag>"y-3"</ETag></CompleteMultipartUploadResult>'
more='&part=4096' go 0 put "${props[@]}" "$work/local" s3://b/kQUERY
sed -n '/^POST .*uploads/,/^\r*$/p' "$folder/log" | grep -q '^x-amz-meta-colour: dark  blue' || fail "not with the beginning"
sent 'x-amz-meta-colour: dark  blue'

begin "upload begin"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<InitiateMultipartUploadResult><UploadId>UP1</UploadId></InitiateMultipartUploadResult>'
go 0 upload begin "${props[@]}" s3://b/kQUERY
sent 'x-amz-meta-equation: a=b'
asked 1

begin "an mtime of one's own stands, once"
free_name
answer "${put_ok[@]}"
go 0 put --keep-times --meta mtime=5 "$work/five" s3://b/kQUERY
sent 'x-amz-meta-mtime: 5'
[ "$(grep -c '^x-amz-meta-mtime' "$folder/log")" = 1 ] || fail "two times were sent"

# refused SENTENCE OPTION...: nothing is put, and it is said why
refused() {
  local why=$1
  shift
  begin "refused: $*"
  free_name
  go 2 put "$@" "$work/five" s3://b/kQUERY
  says "$why"
  if grep -q '^PUT ' "$folder/log"; then fail "something was put"; fi
}
for name in Authorization host Content-Length content-md5 Transfer-Encoding Connection Date Expect If-Match Range x-amz-date \
  X-Amz-Content-Sha256 x-amz-security-token x-amz-checksum-crc32 x-amz-copy-source x-amz-metadata-directive; do
  refused "is set by libroma itself" --header "$name: x"
done
refused "is given as metadata" --header 'x-amz-meta-a: x'
refused "is of another dialect" --header 'x-obs-acl: private'
refused "with each request" --header 'x-amz-server-side-encryption-customer-algorithm: AES256'
refused "in chunks" --header 'Content-Encoding: gzip, aws-chunked'
refused "no visible ASCII" --meta $'a=b\r\nAuthorization: evil'
refused "no visible ASCII" --cache-control $'x\ny: z'
refused "no visible ASCII" --meta 'a=ü'
refused "no name of a header" --header 'a b: x'
refused "no name of a header" --meta $'a\nb=x'
refused "given twice" --meta a=1 --meta A=2
refused "with a blank" --meta 'a= b'
refused "more than 8192 bytes" --meta "a=$(head -c 8193 /dev/zero | tr '\0' x)"
refused "this server takes 8192" --meta "a=$(head -c 8192 /dev/zero | tr '\0' x)"
vendor=aws refused "this server takes 2048" --meta "a=$(head -c 2048 /dev/zero | tr '\0' x)"
refused "has a _ in its name" --meta a_b=c

begin "a folder keeps none"
go 2 cp --meta a=b "$work/five" "file://$work/other"
says "keeps no headers"
[ ! -e "$work/other" ] || fail "it was made"
begin "nor does an upload to one"
go 2 upload begin --meta a=b "file://$work/other"
says "keeps no headers"

begin "stat shows them"
answer "${head5[@]:0:4}" 'Content-Type: image/x' 'X-Amz-Meta-Colour: dark  blue' 'x-amz-meta-mtime: 5.25' \
  'Cache-Control: no-store' 'x-amz-request-id: 77' 'x-amz-storage-class: COLD' 'Server: s' ''
go 0 stat --json s3://b/kQUERY
for field in '"content-type": *"image/x"' '"cache-control": *"no-store"' '"x-amz-storage-class": *"COLD"' '"colour": *"dark  blue"' '"mtime": *"5.25"' '"mtime_ns": *5250000000'; do
  grep -q "$field" "$folder/out" || fail "no $field in $(cat "$folder/out")"
done
if grep -q 'request-id\|"server"\|etag.*etag' "$folder/out"; then fail "what is not the object's was shown: $(cat "$folder/out")"; fi

begin "a time before 1970 is kept"
printf hello >"$work/old"
touch -d '1969-12-31 23:59:58.5 UTC' "$work/old"
free_name
answer 'HTTP/1.1 200 OK' 'ETag: "5d41402abc4b2a76b9719d911017c592"' 'Content-Length: 0' ''
go 0 put --keep-times "$work/old" s3://b/kQUERY
grep -qi '^x-amz-meta-mtime: -1.500000000' "$folder/log" || fail "it was not sent: $(grep -i mtime "$folder/log")"
begin "and shown"
answer "${head5[@]:0:4}" 'x-amz-meta-mtime: -1.500000000' ''
go 0 stat --json s3://b/kQUERY
grep -q '"mtime_ns": *-1500000000' "$folder/out" || fail "$(cat "$folder/out")"

begin "stat shows as many as there can be"
lines=()
for i in $(seq 100); do lines+=("x-amz-meta-n$i: $i"); done
answer "${head5[@]:0:4}" "${lines[@]}" 'Content-Type: a/b' ''
go 0 stat s3://b/kQUERY
[ "$(grep -c 'metadata: n[0-9]*: ' "$folder/out")" = 100 ] || fail "$(grep -c metadata: "$folder/out") of 100"
grep -q 'header: content-type: a/b' "$folder/out" || fail "no type: $(cat "$folder/out")"

finish "cases"
