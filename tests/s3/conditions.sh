#!/bin/bash
# Conditions of reads and writes, by a scripted server: what is sent to which vendor, what a refusal becomes, and that nothing
# is sent to a server that would ignore it.
set -u
# shellcheck source=tests/s3/functions.sh
. "$SRC_DIR/tests/s3/functions.sh"

etag=5d41402abc4b2a76b9719d911017c592
put_ok=('HTTP/1.1 200 OK' "ETag: \"$etag\"" 'Content-Length: 0' '')
created='<InitiateMultipartUploadResult><UploadId>UP1</UploadId></InitiateMultipartUploadResult>'
done_='<CompleteMultipartUploadResult><ETag>"y-3"</ETag></CompleteMultipartUploadResult>'
# sent REQUEST LINE: among the headers of the requests that begin so
sent() {
  tr -d '\r' <"$folder/log" | sed -n "/^$1/,/^\$/p" | grep -qxF -- "$2" || fail "\"$2\" was not sent with $1: $(cat "$folder/log")"
}
puts() { [ "$(grep -c "^PUT /b/k" "$folder/log")" = "$1" ] || fail "$(grep -c "^PUT /b/k" "$folder/log") puts, not $1"; }
# What roma asks before it puts something over an object: it is no folder; it has the ETag.
there() {
  answer "${head5[@]}"
  answer "${head5[@]}"
}

for how in "radosgw $etag" "aws \"$etag\"" "minio \"$etag\""; do
  begin "put if it matches, to $how"
  there
  answer "${put_ok[@]}"
  vendor=${how%% *} more='&checksum=none' go 0 put --if-match $etag "$work/five" s3://b/kQUERY
  sent 'PUT' "If-Match: ${how#* }"
done
for code in 'PreconditionFailed 412' 'NoSuchKey 404'; do
  begin "put if it matches: it does not any more, ${code% *}"
  there
  error "${code#* } No" "${code% *}"
  go 9 put --if-match $etag "$work/five" s3://b/kQUERY
  says "it was to replace the object with the ETag $etag"
done
begin "put if it matches: another is there, so nothing is sent"
there
go 9 put --if-match 0123 "$work/five" s3://b/kQUERY
puts 0
begin "put if it matches: nothing is there, so nothing is sent"
free_name
answer 'HTTP/1.1 404 Not Found' 'Content-Length: 0' ''
go 9 put --if-match $etag "$work/five" s3://b/kQUERY
puts 0
begin "put if it matches: the answer is lost, so nobody knows"
there
answer '@drop' 'HTTP/1.1 200 OK'
go 8 put --if-match $etag "$work/five" s3://b/kQUERY
puts 1
for scheme in 'oss oss' 'obs obs' 's3 generic'; do
  begin "put if it matches: $scheme cannot"
  answer "${head5[@]}"
  vendor=${scheme#* } more='&addressing=path' go 2 put --if-match $etag "$work/five" "${scheme% *}://b/kQUERY"
  says "which object it replaces"
  puts 0
done
vendor=radosgw
begin "put if it matches: no more than one request can be conditional there"
answer "${head5[@]}"
truncate -s 65M "$work/long"
go 2 put --if-match $etag "$work/long" s3://b/kQUERY
says "64 MiB"
rm "$work/long"
begin "put if it matches, with what is no ETag"
answer "${head5[@]}"
go 2 put --if-match 'a"b' "$work/five" s3://b/kQUERY
says "must be an ETag"
begin "put if it matches and if absent"
go 2 put --if-match x --if-absent "$work/five" s3://b/kQUERY
asked 0
begin "a folder cannot"
go 2 cp --if-match x "$work/five" "file://$work/other"
says "which object it replaces"

# multipart COMPLETE...: with the answer to the end of the upload
multipart() {
  there
  head_of 12000
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$created"
  for _ in 1 2 3; do answer 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''; done
}
vendor=aws
begin "multipart if it matches"
multipart
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$done_"
more='&part=4096&checksum=none' go 0 put --if-match $etag "$work/local" s3://b/kQUERY
sent 'POST .*uploadId=UP1' "If-Match: \"$etag\""
begin "multipart if it matches: it does not any more"
multipart
error '412 No' PreconditionFailed
answer 'HTTP/1.1 204 No Content' ''
more='&part=4096&checksum=none' go 9 put --if-match $etag "$work/local" s3://b/kQUERY
says "it was to replace"
begin "multipart if it matches: an answer is lost, and then somebody else's object is there"
multipart
answer '@drop' 'HTTP/1.1 200 OK'
error '412 No' PreconditionFailed
answer "${head5[@]}"
more='&part=4096&checksum=none' go 8 put --if-match $etag "$work/local" s3://b/kQUERY
for how in 'aws 0' 'radosgw 2' 'oss 2' 'generic 2'; do
  begin "upload complete if it matches, ${how% *}"
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$done_"
  answer 'HTTP/1.1 200 OK' 'Content-Length: 5' 'ETag: "y-3"' ''
  vendor=${how% *} more='&addressing=path' go "${how#* }" upload complete --if-match $etag --upload-id UP1 s3://b/kQUERY 1:$etag
  if [ "${how#* }" = 0 ]; then sent POST "If-Match: \"$etag\""; else asked 0; fi
done
vendor=aws
begin "upload complete if it matches: it does not"
error '412 No' PreconditionFailed
go 9 upload complete --if-match $etag --upload-id UP1 s3://b/kQUERY 1:$etag
says "it was to replace"
begin "upload complete if it matches: an answer is lost, and it was done"
whole=$(printf '\x5d\x41\x40\x2a\xbc\x4b\x2a\x76\xb9\x71\x9d\x91\x10\x17\xc5\x92' | md5sum | cut -d' ' -f1)-1
answer '@drop' 'HTTP/1.1 200 OK'
error '412 No' PreconditionFailed
answer 'HTTP/1.1 200 OK' 'Content-Length: 5' "ETag: \"$whole\"" ''
go 0 upload complete --if-match $etag --upload-id UP1 s3://b/kQUERY 1:$etag

# Reading: the version that is opened is the one that is read.
vendor=radosgw
for how in "cat --if-match $etag|0" 'cat --if-match other|9' "cat --if-none-match $etag|9" 'cat --if-none-match other|0' \
  "stat --if-match $etag|0" 'stat --if-match other|9' "stat --if-none-match $etag|9" 'stat --if-none-match other|0'; do
  begin "${how%|*}"
  answer "${head5[@]}"
  answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
  # shellcheck disable=SC2086 # words
  go "${how#*|}" ${how%|*} s3://b/kQUERY
  if [ "${how#*|}" = 9 ]; then
    asked 1
    says "the ETag $etag"
    [ ! -s "$folder/out" ] || fail "something was shown"
  fi
done
# What is no object has no ETag.
for how in "--if-match $etag|9" "--if-none-match $etag|0"; do
  begin "stat ${how%|*} of what lies below a name"
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListBucketResult><Contents><Key>k/x</Key></Contents></ListBucketResult>'
  # shellcheck disable=SC2086 # words
  go "${how#*|}" stat ${how%|*} s3://b/k/QUERY
  if [ "${how#*|}" = 9 ]; then
    says 'the ETag (none)'
    [ ! -s "$folder/out" ] || fail "something was shown"
  fi
done
begin "get if it matches"
answer "${head5[@]}"
answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
rm -f "$work/got"
go 0 get --if-match $etag s3://b/kQUERY "$work/got"
cmp "$work/got" "$work/five" || fail "other bytes"
sent GET "If-Match: \"$etag\""
begin "get of what has not changed"
answer "${head5[@]}"
rm -f "$work/got"
go 9 get --if-none-match $etag s3://b/kQUERY "$work/got"
[ ! -e "$work/got" ] || fail "it was stored"
begin "cat of a file that matches"
tag=$("$BUILD_DIR/roma" stat --json "file://$work/five" | sed 's/.*"etag": *"\([^"]*\)".*/\1/')
go 0 cat --if-match "$tag" "file://$work/five"
cmp "$folder/out" "$work/five" || fail "other bytes"
begin "cat of a file that does not"
go 9 cat --if-none-match "$tag" "file://$work/five"

finish "conditions"
