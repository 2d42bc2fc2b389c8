#!/bin/bash
# Faults of an S3-like server, by a scripted one: each ends in the right retry or the right error in time, no byte is
# wrong, and no secret is seen anywhere.
set -u
# shellcheck source=tests/s3/functions.sh
. "$SRC_DIR/tests/s3/functions.sh"

begin "throttled, then good"
answer "${head5[@]}"
error '503 Slow Down' SlowDown
answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
go 0 cat s3://b/kQUERY
asked 3
[ "$(cat "$folder/out")" = hello ] || fail "the bytes are $(cat "$folder/out")"

begin "rows of the timing stand below each other, whatever the names of the requests"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>'
go 0 upload begin --timing s3://b/kQUERY
grep -q '^CreateMultipartUpload ' "$folder/err" || fail "no such row: $(cat "$folder/err")"
[ "$(awk '{ print index($0, "|") }' "$folder/err" | sort -u | wc -l)" = 1 ] || fail "$(cat "$folder/err")"

begin "always throttled"
answer "${head5[@]}"
for _ in 1 2 3; do error '503 Slow Down' SlowDown; done
more='&attempts=3' go 5 cat s3://b/kQUERY
asked 4
says SlowDown
says REQ77

# The CRC-32 of hello, and another one; one of the parts' checksums says nothing of the bytes.
for sum in 'NhCmhg==' 'AAAAAA==' 'AAAAAA==-1'; do
  begin "the server keeps the CRC-32 $sum"
  answer "${head5[@]:0:4}" "x-amz-checksum-crc32: $sum" ''
  answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
  rm -f "$work/got"
  case $sum in AAAAAA==) want=7 ;; *) want=0 ;; esac
  more='&checksum=crc32' go $want get s3://b/kQUERY "$work/got"
  grep -qi '^x-amz-checksum-mode: ENABLED' "$folder/log" || fail "the checksum was not asked for"
  if [ $want = 0 ]; then cmp -s "$work/got" "$work/five" || fail "other bytes"; elif [ -e "$work/got" ]; then fail "damaged bytes were stored"; fi
done

# A redirect is followed to the endpoint itself, and to nobody else: the session token and the body would go there.
begin "a redirect to the endpoint"
answer 'HTTP/1.1 307 Temporary Redirect' 'Location: SELF' 'Content-Length: 0' ''
answer "${head5[@]}"
go 0 stat s3://b/kQUERY
for host in 127.0.0.2:9 evil.example b.s3.eu-west-1.amazonaws.com; do
  begin "a redirect to $host"
  free_name
  answer 'HTTP/1.1 307 Temporary Redirect' "Location: http://$host/b/k" 'Content-Length: 0' ''
  go 1 put "$work/five" s3://b/kQUERY
  says "it names the host $host, which is not this endpoint's and is not followed"
  asked 3
done
begin "a region that is no region's name"
answer 'HTTP/1.1 301 Moved Permanently' 'x-amz-bucket-region: evil.example/' 'Content-Length: 0' ''
go 1 stat s3://b/kQUERY
asked 1

# What is encrypted with a key has an ETag that says nothing of the bytes; the original does.
kms=('HTTP/1.1 200 OK' 'Content-Length: 5' 'ETag: "99999999999999999999999999999999"' 'Last-Modified: Fri, 24 May 2013 00:00:00 GMT' 'x-amz-server-side-encryption: aws:kms')
diagnosed() { # EXIT [ORIGINAL]
  begin "diagnose of what is encrypted, exit $1"
  for _ in 1 2 3; do answer "${kms[@]}" ''; done
  answer "${ranged[@]:0:2}" "${kms[@]:2}" 'Content-Length: AUTO' '' hello
  answer "${kms[@]}" ''
  go "$1" diagnose ${2:+--against "$2"} s3://b/kQUERY
}
diagnosed 2
diagnosed 0 "$work/five"
grep -q 'all bytes were read, and they are those of the original' "$folder/out" || fail "$(cat "$folder/out")"
diagnosed 0 5d41402abc4b2a76b9719d911017c592
diagnosed 1 5d41402abc4b2a76b9719d911017c593
printf hallo >"$work/other"
diagnosed 1 "$work/other"

begin "no key"
error '404 Not Found' NoSuchKey
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListBucketResult></ListBucketResult>   '
go 3 cat s3://b/noneQUERY

begin "denied at the first look at the destination: that is of the put"
error '403 Forbidden' AccessDenied
go 4 put "$work/five" s3://b/kQUERY
says "put s3://b/k: HeadObject: "
if grep -q 'stat s3' "$folder/err"; then fail "another operation is named: $(cat "$folder/err")"; fi

begin "an object that has the name of the folder itself is listed"
for _ in 1 2; do
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' \
    '<ListBucketResult><Contents><Key>f/</Key><Size>0</Size></Contents><Contents><Key>f/a</Key><Size>1</Size></Contents></ListBucketResult>'
done
go 0 ls s3://b/f/QUERY
[ "$(tr '\n' ' ' <"$folder/out")" = './ a ' ] || fail "listed: $(cat "$folder/out")"

begin "denied, with the server's word and request id"
answer "${head5[@]}"
error '403 Forbidden' AccessDenied
go 4 cat s3://b/kQUERY
says AccessDenied
says REQ77
asked 2

begin "another range than it was asked for"
answer "${head5[@]}"
answer 'HTTP/1.1 206 Partial Content' 'Content-Range: bytes 1-4/5' 'Content-Length: AUTO' '' ello
go 5 cat s3://b/kQUERY
says "another range"
[ ! -s "$folder/out" ] || fail "bytes were given"

begin "more bytes than were asked for"
answer "${head5[@]}"
answer "${ranged[@]}" 'Content-Length: AUTO' '' 'hellohell'
go 5 cat s3://b/kQUERY
says "more bytes"
[ ! -s "$folder/out" ] || fail "bytes were given"

begin "cut in the middle, then good"
answer "${head5[@]}"
answer '@cut 2' "${ranged[@]}" 'Content-Length: AUTO' '' hello
answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
go 0 cat s3://b/kQUERY
asked 3
[ "$(cat "$folder/out")" = hello ] || fail "the bytes are $(cat "$folder/out")"

begin "dropped without an answer, then good"
answer '@drop' 'HTTP/1.1 200 OK'
answer "${head5[@]}"
answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
go 0 cat s3://b/kQUERY
asked 3

begin "silent"
answer '@delay 20000' "${head5[@]}"
go 5 stat --stall=1s s3://b/kQUERY
says "127.0.0.1"

begin "replaced while it is read"
answer "${head5[@]}"
error '412 Precondition Failed' PreconditionFailed
go 7 cat s3://b/kQUERY
says "replaced"

begin "an answer that is no HTTP"
answer 'SSH-2.0-OpenSSH_9.2' ''
for _ in 1 2 3 4 5; do answer 'SSH-2.0-OpenSSH_9.2' ''; done
go 5 stat s3://b/kQUERY

begin "another region, which the answer names"
answer 'HTTP/1.1 301 Moved Permanently' 'x-amz-bucket-region: eu-west-9' 'Content-Length: 0' ''
answer "${head5[@]}"
go 0 stat s3://b/kQUERY
asked 2
grep -q '/eu-west-9/s3/aws4_request' "$folder/log" || fail "the second request was not signed for the region"

begin "a clock that is wrong"
body='<Error><Code>RequestTimeTooSkewed</Code></Error>'
bucket
answer 'HTTP/1.1 403 Forbidden' 'Date: Fri, 24 May 2013 00:00:00 GMT' 'Content-Length: AUTO' '' "$body"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListBucketResult></ListBucketResult>'
go 0 ls s3://b/QUERY
grep -qi 'x-amz-date: 20130524T' "$folder/log" || fail "the second request did not take the server's time"

# HEAD is answered without a body, so without the word.
refused=('HTTP/1.1 403 Forbidden' 'Content-Length: 0')
begin "a clock that is wrong, and HEAD"
answer "${refused[@]}" 'Date: Fri, 24 May 2013 00:00:00 GMT' ''
answer "${head5[@]}"
answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
go 0 cat s3://b/kQUERY
asked 3
[ "$(grep -ci '^x-amz-date: 20130524T' "$folder/log")" = 2 ] || fail "the server's time was not taken, and kept"

begin "denied, by a server whose Date is wrong"
for _ in 1 2; do answer "${refused[@]}" 'Date: Fri, 24 May 2013 00:00:00 GMT' ''; done
answer "${head5[@]}"
go 4 stat s3://b/noQUERY s3://b/kQUERY
asked 3
[ "$(grep -ci '^x-amz-date: 20130524T' "$folder/log")" = 1 ] || fail "the wrong time was kept"

begin "denied, and HEAD does not say why"
answer "${refused[@]}" "Date: $(LC_ALL=C date -u '+%a, %d %b %Y %T GMT')" ''
go 4 stat s3://b/kQUERY
asked 1
says "HEAD is told no reason: look at the keys, the clock and the rights"

begin "put: wrong digest told by the server, then good"
free_name
error '400 Bad Request' BadDigest
answer 'HTTP/1.1 200 OK' 'ETag: "5d41402abc4b2a76b9719d911017c592"' 'Content-Length: 0' ''
go 0 put "$work/five" s3://b/kQUERY
[ "$(grep -c '^PUT /b/k ' "$folder/log")" = 2 ] || fail "it was not put twice"

begin "put: the MD5 that the server has is another"
free_name
answer 'HTTP/1.1 200 OK' 'ETag: "00000000000000000000000000000000"' 'Content-Length: 0' ''
more='&checksum=md5' go 8 put "$work/five" s3://b/kQUERY
says "MD5"

for header in 'x-amz-server-side-encryption: aws:kms' 'x-amz-server-side-encryption-customer-algorithm: AES256'; do
  begin "put: the ETag is no MD5, because of $header"
  free_name
  answer 'HTTP/1.1 200 OK' "$header" 'ETag: "00000000000000000000000000000000"' 'Content-Length: 0' ''
  more='&checksum=md5' go 0 put "$work/five" s3://b/kQUERY
done

begin "put: the answer is lost, so it is sent again"
free_name
answer '@drop' 'HTTP/1.1 200 OK'
answer 'HTTP/1.1 200 OK' 'ETag: "5d41402abc4b2a76b9719d911017c592"' 'Content-Length: 0' ''
go 0 put "$work/five" s3://b/kQUERY

begin "put if absent: the answer is lost, so nobody knows"
free_name
answer 'HTTP/1.1 404 Not Found' 'Content-Length: 0' ''
answer '@drop' 'HTTP/1.1 200 OK'
go 8 put --if-absent "$work/five" s3://b/kQUERY
[ "$(grep -c '^PUT /b/k ' "$folder/log")" = 1 ] || fail "it was sent twice"

begin "put if absent: it is there"
free_name
answer 'HTTP/1.1 404 Not Found' 'Content-Length: 0' ''
error '412 Precondition Failed' PreconditionFailed
go 9 put --if-absent "$work/five" s3://b/kQUERY
grep -qi '^If-None-Match: \*' "$folder/log" || fail "the condition was not sent"

begin "multipart: a part fails once, complete says 200 with an error once"
free_name
head_of 12000
created='<InitiateMultipartUploadResult><UploadId>UP1</UploadId></InitiateMultipartUploadResult>'
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$created"
error '500 Internal Server Error' InternalError
for _ in 1 2 3; do answer 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''; done
error '200 OK' InternalError
done_='<CompleteMultipartUploadResult><ETag>"y-3"</ETag></CompleteMultipartUploadResult>'
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$done_"
more='&part=4096' go 0 put "$work/local" s3://b/kQUERY
[ "$(grep -c '^POST /b/k?uploadId=UP1 ' "$folder/log")" = 2 ] || fail "complete was not repeated"

begin "put: the answer is lost, and then it is denied, so nobody knows"
free_name
answer '@drop' 'HTTP/1.1 200 OK'
error '403 Forbidden' AccessDenied
go 8 put "$work/five" s3://b/kQUERY

# Whatever comes after it: what the first has made is not taken away.
for first in drop '200 OK'; do
  for then in '403 Forbidden AccessDenied' '503 Unavailable SlowDown' '200 OK InternalError'; do
    begin "multipart: complete is answered by $first, later ones by $then, so nobody knows"
    free_name
    answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$created"
    for _ in 1 2 3; do answer 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''; done
    if [ "$first" = drop ]; then answer '@drop' 'HTTP/1.1 200 OK'; else error "$first" InternalError; fi
    error "${then% *}" "${then##* }"
    more='&part=4096&attempts=2' go 8 put "$work/local" s3://b/kQUERY
    if grep -q ^DELETE "$folder/log"; then fail "the upload was aborted"; fi
  done
done

begin "multipart: complete says 200 and then nothing, and there is no object"
free_name
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$created"
for _ in 1 2 3; do answer 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''; done
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '   '
answer 'HTTP/1.1 404 Not Found' 'Content-Length: 0' ''
more='&part=4096' go 8 put "$work/local" s3://b/kQUERY
says "does not say that the object is there"

# radosgw 16 lets an abort take the parts of an object that is being completed: its bytes go hours later.
complete_begins() {
  begin "$1"
  free_name
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$created"
  for _ in 1 2 3; do answer 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''; done
}
nothing_is_taken_away() { ! grep -q '^DELETE ' "$folder/log" || fail "the upload was aborted"; }

complete_begins "multipart: complete takes longer than we wait"
answer '@delay 30000' 'HTTP/1.1 200 OK' ''
more='&part=4096&stall=1s' go 8 put "$work/local" s3://b/kQUERY
nothing_is_taken_away

complete_begins "multipart: the answer to complete was lost, and a second one is refused"
answer '@drop' 'HTTP/1.1 200 OK'
error '403 Forbidden' AccessDenied
more='&part=4096' go 8 put "$work/local" s3://b/kQUERY
nothing_is_taken_away

five=5d41402abc4b2a76b9719d911017c592
whole=$(printf '\x5d\x41\x40\x2a\xbc\x4b\x2a\x76\xb9\x71\x9d\x91\x10\x17\xc5\x92' | md5sum | cut -d' ' -f1)-1
begin "multipart: a kept connection ends at complete, which was done"
free_name
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$created"
for _ in 1 2 3; do answer 'HTTP/1.1 200 OK' "ETag: \"$five\"" 'Content-Length: 0' ''; done
answer '@drop' 'HTTP/1.1 200 OK'
error '404 Not Found' NoSuchUpload
thrice=$(for _ in 1 2 3; do printf '\x5d\x41\x40\x2a\xbc\x4b\x2a\x76\xb9\x71\x9d\x91\x10\x17\xc5\x92'; done | md5sum | cut -d' ' -f1)-3
answer 'HTTP/1.1 200 OK' 'Content-Length: 12000' "ETag: \"$thrice\"" ''
more='&part=4096' go 0 put "$work/local" s3://b/kQUERY
asked 9
if grep -q ^DELETE "$folder/log"; then fail "the upload was aborted"; fi

for body in '' '   ' '<Error><Code>Intern' '<CompleteMultipartUploadResult/>'; do
  begin "upload complete says 200 and then \"$body\": the object is of somebody else"
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$body"
  error '404 Not Found' NoSuchUpload
  answer "${head5[@]}"
  go 8 upload complete --upload-id UP1 s3://b/kQUERY 1:$five
  says "does not say that the object is there"

  begin "upload complete says 200 and then \"$body\": the object is of these parts"
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$body"
  error '404 Not Found' NoSuchUpload
  answer 'HTTP/1.1 200 OK' 'Content-Length: 5' "ETag: \"$whole\"" ''
  go 0 upload complete --upload-id UP1 s3://b/kQUERY 1:$five

  begin "upload complete says 200 and then \"$body\": the upload is there"
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$body"
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListPartsResult></ListPartsResult>'
  go 8 upload complete --upload-id UP1 s3://b/kQUERY 1:$five
done

begin "multipart: a part cannot be sent, so nothing stays"
free_name
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$created"
error '403 Forbidden' AccessDenied
for _ in 1 2 3 4; do error '403 Forbidden' AccessDenied; done
more='&part=4096' go 4 put "$work/local" s3://b/kQUERY
grep -q '^DELETE /b/k?uploadId=UP1 ' "$folder/log" || fail "the upload was not aborted"

uploads='<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>UP1</UploadId>'
begin "gc: an upload of which nobody says when it was begun"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$uploads</Upload></ListMultipartUploadsResult>"
go 0 gc --older-than 0 s3://b/QUERY
asked 1

begin "gc: a part of which nobody says when it was put"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' \
  "$uploads<Initiated>2013-05-24T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>"
part='<Part><PartNumber>1</PartNumber><Size>5</Size><ETag>"x"</ETag><LastModified>yesterday</LastModified></Part>'
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "<ListPartsResult>$part</ListPartsResult>"
go 0 gc --older-than 0 s3://b/QUERY
asked 2
if grep -q ^DELETE "$folder/log"; then fail "the upload was aborted"; fi

# shellcheck disable=SC2034 # by name
gone=('HTTP/1.1 404 Not Found' 'Content-Length: 0' '')
# Of keys that would be one file here the plain one is taken, and the others are told.
contents=
for k in t/../x t/./x t//x t/x t/y//; do contents+="<Contents><Key>$k</Key><Size>5</Size></Contents>"; done
for command in "get -r" sync; do
  begin "$command: keys that would be one file"
  answer 'HTTP/1.1 404 Not Found' 'Content-Length: 0' ''
  for _ in 1 2; do answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "<ListBucketResult>$contents</ListBucketResult>"; done
  answer "${head5[@]}"
  answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
  rm -rf "$work/tree"
  # shellcheck disable=SC2086 # two words
  go 1 $command s3://b/tQUERY "$work/tree"
  [ "$(grep -c 'has an empty component' "$folder/err")" = 2 ] || fail "two with an empty component: $(cat "$folder/err")"
  says 'has a component "."'
  says 'leads out'
  asked 5
  [ "$(cd "$work/tree" && find . -type f)" = ./x ] || fail "there is $(find "$work/tree")"
done

for n in 5 300000; do
  begin "one connection, and two who want it for longer than they may be silent: $n bytes each"
  head_of $n
  answer "${gone[@]}"
  for _ in 1 2; do
    answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' \
      '<ListBucketResult><Contents><Key>t/x</Key></Contents><Contents><Key>t/y</Key></Contents></ListBucketResult>'
  done
  for _ in 1 2; do answer "${head5[0]}" "Content-Length: $n" 'ETag: "e"' "${head5[3]}" ''; done
  piece=('HTTP/1.1 206 Partial Content' "Content-Range: bytes 0-$((n - 1))/$n" 'ETag: "e"' 'Content-Length: AUTO' '' "$(cat "$work/local")")
  answer '@slow 900 5' "${piece[@]}"
  answer "${piece[@]}"
  rm -rf "$work/tree"
  more='&connections=1' go 0 get -r --stall 3s s3://b/tQUERY "$work/tree"
  for f in x y; do cmp -s "$work/local" "$work/tree/$f" || fail "$f has other bytes"; done
done

# What is small does not wait behind all the bytes that have been asked for, and these do not wait for ever either.
begin "one connection: reads and looks take turns"
answer "${head5[0]}" 'Content-Length: 6291456' 'ETag: "e"' "${head5[3]}" ''
printf 'HTTP/1.1 400 Bad Request\nContent-Length: 0\n\n' >"$folder/last"
program=tests/s3/line more='&connections=1' go 0 s3://bQUERY 6 3
order=$(sed -n 's|^\([A-Z]*\) /b.*|\1|p' "$folder/log" | tr '\n' ' ')
[ "$order" = 'HEAD GET HEAD GET HEAD GET HEAD GET GET GET ' ] || fail "in the order $order"

# A list without lengths: HEAD tells them.
begin "sync: another length, with the same time"
answer "${gone[@]}"
for _ in 1 2; do
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListBucketResult><Contents><Key>t/x</Key></Contents></ListBucketResult>'
done
answer "${head5[@]}"
answer "${head5[@]:0:1}" 'Content-Length: AUTO' "${head5[@]:2:2}" '' hello
rm -rf "$work/tree"
mkdir "$work/tree"
echo old >"$work/tree/x"
touch -d 2013-05-24T00:00:00Z "$work/tree/x"
go 0 sync s3://b/tQUERY "$work/tree"
cmp -s "$work/tree/x" "$work/five" || fail "the old one is there: $(cat "$folder/out")"

# What is there when the answer to DELETE was lost says whether it has to be asked for again.
# shellcheck disable=SC2034
head6=('HTTP/1.1 200 OK' 'Content-Length: 5' 'ETag: "6"' 'Last-Modified: Fri, 24 May 2013 00:00:00 GMT' '')
for there in gone head5 head6; do
  begin "rm: the answer is lost, and then there is $there"
  answer "${head5[@]}"
  answer '@drop' 'HTTP/1.1 204 No Content'
  declare -n then=$there
  answer "${then[@]}"
  if [ $there = head5 ]; then answer 'HTTP/1.1 204 No Content' ''; fi
  go 0 rm s3://b/kQUERY
  if [ $there = head5 ]; then asked 4; else asked 3; fi
done
begin "rm: the answer is lost, and nobody says what is there"
answer "${head5[@]}"
answer '@drop' 'HTTP/1.1 204 No Content'
error '403 Forbidden' AccessDenied
go 8 rm s3://b/kQUERY
begin "rm: the server breaks each time"
for _ in 1 2; do
  answer "${head5[@]}"
  error '500 Internal Server Error' InternalError
done
answer "${head5[@]}"
more='&attempts=2' go 8 rm s3://b/kQUERY
asked 5

# The answer to a second try says nothing of the first: what was there before does.
no_bucket=('HTTP/1.1 404 Not Found' 'Content-Length: 0' '')
begin "mb: the bucket is not there, then the answer is lost, and it is there"
answer "${no_bucket[@]}"
answer '@drop' 'HTTP/1.1 200 OK'
bucket
go 0 mb s3://bQUERY
asked 3

begin "mb: the answer is lost, and the bucket is not there yet, and then it is of the first try"
answer "${no_bucket[@]}"
answer '@drop' 'HTTP/1.1 200 OK'
answer "${no_bucket[@]}"
error '409 Conflict' BucketAlreadyOwnedByYou
go 0 mb s3://bQUERY
asked 4

begin "mb: a server that broke, and has not made it"
answer "${no_bucket[@]}"
error '500 Internal Server Error' InternalError
answer "${no_bucket[@]}"
bucket
go 0 mb s3://bQUERY
asked 4

begin "mb: it was there before, and the answer is lost"
bucket
answer '@drop' 'HTTP/1.1 200 OK'
bucket
go 9 mb s3://bQUERY
says "was there before"
asked 3

begin "mb: it is there, and that is said"
bucket
error '409 Conflict' BucketAlreadyOwnedByYou
go 9 mb s3://bQUERY
asked 2

begin "mb: it is there, and the server says yes all the same"
bucket
bucket
go 9 mb s3://bQUERY
says "the bucket b was there before"
asked 2

begin "mb: somebody else has made it since it was looked for"
answer "${no_bucket[@]}"
error '409 Conflict' BucketAlreadyOwnedByYou
go 9 mb s3://bQUERY
asked 2

begin "mb: nobody may look, and the answer is lost"
error '403 Forbidden' AccessDenied
answer '@drop' 'HTTP/1.1 200 OK'
error '403 Forbidden' AccessDenied
go 8 mb s3://bQUERY
asked 3

begin "mb: nobody could look before, and the answer is lost"
error '403 Forbidden' AccessDenied
answer '@drop' 'HTTP/1.1 200 OK'
bucket
go 8 mb s3://bQUERY

begin "mb: throttled, which is no lost answer"
answer "${no_bucket[@]}"
error '503 Slow Down' SlowDown
bucket
go 0 mb s3://bQUERY
asked 3

begin "mb: each answer is lost, and it is never there"
for _ in 1 2; do
  answer "${no_bucket[@]}"
  answer '@drop' 'HTTP/1.1 200 OK'
done
answer "${no_bucket[@]}"
more='&attempts=2' go 8 mb s3://bQUERY
asked 5

begin "rb: there is none"
answer "${no_bucket[@]}"
go 3 rb s3://bQUERY
asked 1

begin "rb: the answer is lost, and it is gone"
bucket
answer '@drop' 'HTTP/1.1 204 No Content'
answer "${no_bucket[@]}"
go 0 rb s3://bQUERY
asked 3

begin "rb: the answer is lost, and it is there, and then it is gone by the first try"
bucket
answer '@drop' 'HTTP/1.1 204 No Content'
bucket
error '404 Not Found' NoSuchBucket
go 0 rb s3://bQUERY
asked 4

begin "rb: somebody else has removed it since it was looked for"
bucket
error '404 Not Found' NoSuchBucket
go 3 rb s3://bQUERY

begin "rb: it is not empty"
bucket
error '409 Conflict' BucketNotEmpty
go 1 rb s3://bQUERY
asked 2

begin "rb: the answer is lost, and nobody says what is there"
bucket
answer '@drop' 'HTTP/1.1 204 No Content'
error '403 Forbidden' AccessDenied
go 8 rb s3://bQUERY

# t/ is what lies below, whatever t is; when that is gone meanwhile, nothing of the destination is.
listed() { answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "<ListBucketResult>$1</ListBucketResult>"; }
leaf='<Contents><Key>t/leaf</Key><Size>5</Size></Contents>'
begin "sync --delete t/"
for _ in 1 2 3; do listed "$leaf"; done
answer "${head5[@]}"
answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
mkdir "$work/synced"
touch "$work/synced/old"
go 0 sync --delete s3://b/t/QUERY "$work/synced"
asked 5
[ "$(ls "$work/synced")" = leaf ] || fail "there is $(ls "$work/synced")"
begin "sync --delete t/, which goes away"
listed "$leaf"
for _ in 1 2; do listed ''; done
go 1 sync --delete s3://b/t/QUERY "$work/synced"
says "is not the folder any more"
[ "$(ls "$work/synced")" = leaf ] || fail "there is $(ls "$work/synced")"
begin "sync --delete t/, where nothing is"
listed ''
go 3 sync --delete s3://b/t/QUERY "$work/synced"
says "nothing has a key that begins with s3://b/t/"

# A name below which nothing is: that of an object, or a slip. Neither is "0 files, all is well".
begin "diagnose -r of an object"
listed ''
for _ in 1 2 3; do answer "${head5[@]}"; done
answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
answer "${head5[@]}"
go 0 diagnose -r s3://b/kQUERY
grep -q '^s3://b/k: clean: 5 bytes' "$folder/out" || fail "$(cat "$folder/out")"
begin "diagnose -r of nothing"
listed ''
printf 'HTTP/1.1 404 Not Found\nContent-Length: 0\n\n' >"$folder/last"
go 2 diagnose -r s3://b/slipQUERY
says "404 Not Found"
begin "diagnose -r of nothing/"
for _ in 1 2; do listed ''; done
go 2 diagnose -r s3://b/slip/QUERY
says "nothing has a key that begins with s3://b/slip/"

begin "the uploads of a folder, not of all names that begin with its own"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListMultipartUploadsResult></ListMultipartUploadsResult>'
go 0 upload ls s3://b/photos/QUERY
grep -q 'prefix=photos%2F&' "$folder/log" || fail "other names were asked for"
# Their names are neither asked for nor read in an encoding: which server uses it cannot be told.
up='<Upload><Key>pl+us 50%</Key><UploadId>u1</UploadId><Initiated>2013-05-24T00:00:00.000Z</Initiated></Upload>'
begin "the names of uploads are as they are"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' \
  "<ListMultipartUploadsResult>$up<IsTruncated>true</IsTruncated><NextKeyMarker>pl+us 50%</NextKeyMarker></ListMultipartUploadsResult>"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListMultipartUploadsResult></ListMultipartUploadsResult>'
go 0 upload ls s3://b/QUERY
grep -qF 'pl+us 50%' "$folder/out" || fail "the name is another: $(cat "$folder/out")"
grep -q 'key-marker=pl%2Bus%2050%25&' "$folder/log" || fail "it goes on elsewhere"
! grep -q 'encoding-type' "$folder/log" || fail "an encoding was asked for"
begin "a list of uploads that has no end"
page="<ListMultipartUploadsResult>$up<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u1</NextUploadIdMarker></ListMultipartUploadsResult>"
for _ in 1 2 3; do answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$page"; done
go 5 upload ls s3://b/QUERY
says "does not say after what"
asked 2
begin "gc of a folder, not of all names that begin with its own"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListMultipartUploadsResult></ListMultipartUploadsResult>'
go 0 gc --older-than 0 s3://b/photosQUERY
grep -q 'prefix=photos%2F&' "$folder/log" || fail "other names were asked for"

# One bucket under two names: what --delete would remove is what is to be copied, and a copy into itself has no end.
nobody='endpoint=http://127.0.0.2:9&region=us-east-1&attempts=1'
conf=$'[p]\nuri = s3://bQUERY\n[far]\nuri = s3://b?'$nobody
for pair in "p:photos s3://bQUERY" "s3://bQUERY p:photos" "s3://b/photosQUERY p:photos"; do
  begin "sync --delete $pair"
  # shellcheck disable=SC2086 # words
  go 2 sync --delete $pair
  says "lies in the other"
  asked 0
done
begin "cp -r of a bucket into itself, under another name"
free_name
bucket
go 2 cp -r s3://b/QUERY p:backup
says "cannot be copied into itself"
asked 3
# Other servers and other folders are no names of one: these go on, to a server that is not there.
for pair in "far:photos s3://bQUERY" "far:photos s3://b/photo?$nobody" "far:photos s3://c?$nobody"; do
  begin "sync --delete $pair: not one place"
  # shellcheck disable=SC2086
  go 5 sync --delete $pair
  asked 0
done
conf=

begin "a list that is no XML"
bucket
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<oops'
go 5 ls s3://b/QUERY
says XML

begin "a list with a DOCTYPE"
bucket
doc='<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult>&a;</ListBucketResult>'
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$doc"
go 5 ls s3://b/QUERY
says DOCTYPE

begin "a list whose keys are not those that were asked for"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListBucketResult><Contents><Key>good/x</Key></Contents></ListBucketResult>'
doc='<ListBucketResult><Contents><Key>evil</Key><Size>1</Size></Contents></ListBucketResult>'
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$doc"
go 5 ls -r s3://b/good/QUERY

# The next page of ours, after 10 000 names, begins behind the greatest key of this one: it would not have a-, which a server
# that goes through folders keeps for later.
key() { printf '<Contents><Key>%s</Key><Size>5</Size></Contents>' "$@"; }
page() { answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "<ListBucketResult>$1</ListBucketResult>"; }
truncated='<IsTruncated>true</IsTruncated><NextContinuationToken>T</NextContinuationToken>'
ten_pages() {
  local i keys
  for i in 0 1 2 3 4 5 6 7 8 9; do
    mapfile -t keys < <(seq -f "$1%04g" $((i * 1000)) $((i * 1000 + 999)))
    page "$(key "${keys[@]}")$truncated"
  done
}
begin "a list in another order, in more than one page: found in the first"
bucket
page "$(key a/1 a- a0)$truncated"
ten_pages b/
go 5 ls -r s3://b/QUERY
says "does not list in the order of bytes (a- comes too late)"
begin "a list in another order, in more than one page: found in the second"
bucket
ten_pages a/
page "$(key a- a/99)"
go 5 ls -r s3://b/QUERY
says "does not list in the order of bytes (a- comes too late)"
begin "sync --delete from a list in another order"
page "$(key t/a/1)"
page "$(key t/a/1 t/a0 t/a-)$truncated"
ten_pages t/b/
rm -rf "$work/synced"
mkdir "$work/synced"
echo old >"$work/synced/b-"
go 5 sync --dry-run --delete s3://b/t/QUERY "$work/synced"
says "does not list in the order of bytes (t/a- comes too late)"
grep -q '^remove' "$folder/out" && fail "what may be in the source was to be removed: $(grep '^remove' "$folder/out")"
# The first page is in order and all that is known when names of the destination are not found in it.
removals() { # EXIT ANSWER TO THE LAST LIST
  local i keys
  page "$(key t/)"
  for i in 0 1 2 3 4 5 6 7 8 9; do
    mapfile -t keys < <(seq -f 't/a/%04g/' $((i * 1000)) $((i * 1000 + 999)))
    page "$(key "${keys[@]}" | sed 's/<Size>5/<Size>0/g')$truncated"
  done
  free_name # A
  "${a_is[@]}"
  page "$2"
  page "$(key t/)" # is it still there?
  rm -rf "$work/synced"
  mkdir "$work/synced"
  echo old >"$work/synced/A"
  echo new >"$work/synced/a-"
  go "$1" sync -j 1 --delete s3://b/t/QUERY "$work/synced"
  [ ! -e "$work/synced/A" ] || fail "what the source does not have was not removed"
}
stays() { [ "$(cat "$work/synced/a-")" = new ] || fail "what the source has, or may have, was removed"; }
a_is=(answer "${head5[@]}")
begin "sync --delete asks before it removes what a later page may have"
removals 5 "$(key t/a-)"
says "does not list in the order of bytes (t/a- comes too late)"
stays
begin "sync --delete asks before it removes what the server left out"
removals 0 ''
stays
begin "sync --delete does not remove what it is refused to ask for"
a_is=(error '403 Forbidden' AccessDenied)
removals 4 ''
says "s3://b/t/a-"
stays
begin "sync --delete removes what the source does not have, in several pages"
a_is=(free_name)
removals 0 ''
[ ! -e "$work/synced/a-" ] || fail "what the source does not have was not removed"
begin "a list in another order, of two answers and one page, and without a token"
bucket
page "$(key a/1 a- a0)<IsTruncated>true</IsTruncated>"
go 5 ls -r s3://b/QUERY
says "does not list in the order of bytes (a- comes too late)"
begin "a list in another order, all in one page, is sorted here"
bucket
page "$(key a/1 a- a0)$truncated"
page "$(key a, b)"
go 0 ls -r s3://b/QUERY
[ "$(tr '\n' ' ' <"$folder/out")" = 'a, a- a/1 a0 b ' ] || fail "listed: $(cat "$folder/out")"
begin "what a page ended with is rolled up again in the next one"
bucket
page "$(key a)<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>$truncated"
page "$(key c)<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>"
go 0 ls s3://b/QUERY

begin "names of a list are decoded when it says that they are encoded, wherever it says so"
bucket
page "$(key a+b%41)<EncodingType>url</EncodingType>"
go 0 ls -r s3://b/QUERY
grep -qxF 'a bA' "$folder/out" || fail "listed: $(cat "$folder/out")"
begin "names of a list that does not say so are what they are"
bucket
page "$(key 50% a+b%41)"
go 0 ls -r s3://b/QUERY
[ "$(tr '\n' ' ' <"$folder/out")" = '50% a+b%41 ' ] || fail "listed: $(cat "$folder/out")"

begin "a list that never ends"
bucket
doc='<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>'
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$doc"
go 5 ls s3://b/QUERY
says "more"

begin "no keys"
AWS_ACCESS_KEY_ID='' go 4 stat s3://b/kQUERY
says AWS_ACCESS_KEY_ID
asked 0

begin "a file of keys that others can read"
printf '[default]\naws_access_key_id = x\naws_secret_access_key = y\n' >"$work/keys"
chmod 644 "$work/keys"
AWS_ACCESS_KEY_ID='' AWS_SHARED_CREDENTIALS_FILE=$work/keys go 2 stat s3://b/kQUERY
says "chmod 600"
asked 0

begin "keys that have expired, and are not renewed"
answer "${head5[@]}"
error '400 Bad Request' ExpiredToken
chmod 600 "$work/keys"
AWS_ACCESS_KEY_ID='' AWS_SHARED_CREDENTIALS_FILE=$work/keys go 4 cat s3://b/kQUERY
asked 2
says ExpiredToken

# renew: other keys are in the file as soon as a request is there, which is answered then.
renew() {
  for _ in $(seq 600); do
    [ ! -s "$work/log" ] || break
    sleep 0.05
  done
  sed -i 's/= x$/= RENEWED/' "$work/keys"
  touch "$folder/go"
}
for how in HEAD GET; do
  begin "keys that have expired, and are renewed: $how"
  printf '[default]\naws_access_key_id = x\naws_secret_access_key = y\n' >"$work/keys"
  if [ $how = HEAD ]; then
    answer '@wait' 'HTTP/1.1 400 Bad Request' 'Content-Length: 0' ''
    answer "${head5[@]}"
  else
    answer "${head5[@]}"
    body='<Error><Code>ExpiredToken</Code></Error>'
    answer '@wait' 'HTTP/1.1 400 Bad Request' 'Content-Length: AUTO' '' "$body"
  fi
  answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
  renew &
  renewing=$!
  AWS_ACCESS_KEY_ID='' AWS_SHARED_CREDENTIALS_FILE=$work/keys go 0 cat s3://b/kQUERY
  wait $renewing
  asked 3
  grep -q Credential=RENEWED/ "$folder/log" || fail "the new keys were not taken"
done

begin "a certificate that nobody vouches for"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=127.0.0.1 \
  -addext subjectAltName=IP:127.0.0.1 2>/dev/null
stop
openssl s_server -www -accept 127.0.0.1:0 -cert "$work/cert.pem" -key "$work/key.pem" >"$folder/tls" 2>&1 </dev/null &
server=$!
for _ in $(seq 100); do
  port=$(sed -n 's/^ACCEPT 127.0.0.1:\([0-9]*\)$/\1/p' "$folder/tls")
  [ -z "$port" ] || break
  sleep 0.05
done
timeout 60 "$BUILD_DIR/roma" stat "s3://b/k?endpoint=https://127.0.0.1:$port" >"$folder/out" 2>"$folder/err" &&
  fail "it was trusted"
says "?ca=FILE"
: >"$folder/log"
stop
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=other.example \
  -addext subjectAltName=DNS:other.example 2>/dev/null
openssl s_server -www -accept 127.0.0.1:0 -cert "$work/cert.pem" -key "$work/key.pem" >"$folder/tls" 2>&1 </dev/null &
server=$!
for _ in $(seq 100); do
  port=$(sed -n 's/^ACCEPT 127.0.0.1:\([0-9]*\)$/\1/p' "$folder/tls")
  [ -z "$port" ] || break
  sleep 0.05
done
alone() { # EXIT ARGUMENT...: without a server of ours
  local want=$1 got
  shift
  timeout 60 "$BUILD_DIR/roma" "$@" >"$folder/out" 2>"$folder/err"
  got=$?
  [ $got = "$want" ] || fail "exit $want expected, got $got: $(cat "$folder/err")"
}
name="a certificate for another host"
alone 5 stat "s3://b/k?endpoint=https://127.0.0.1:$port&ca=$work/cert.pem"
says "the endpoint has the name of a host that the certificate is for"
name="a file of certificates that is not there"
alone 2 stat "s3://b/k?endpoint=https://127.0.0.1:$port&ca=$work/nofile.pem"
says "$work/nofile.pem"
says "look at ca="
name="AWS_CA_BUNDLE says who is trusted, and ca= goes before it"
AWS_CA_BUNDLE=$work/cert.pem alone 5 stat "s3://b/k?endpoint=https://127.0.0.1:$port"
says "the endpoint has the name of a host that the certificate is for"
AWS_CA_BUNDLE=$work/nofile.pem alone 2 stat "s3://b/k?endpoint=https://127.0.0.1:$port"
says "$work/nofile.pem"
AWS_CA_BUNDLE=$work/nofile.pem alone 5 stat "s3://b/k?endpoint=https://127.0.0.1:$port&ca=$work/cert.pem"
says "the endpoint has the name of a host that the certificate is for"

name="a proxy that is not there is named"
alone 5 stat "s3://b/k?endpoint=http://127.0.0.1:$port&proxy=http://127.0.0.1:1&attempts=1"
says "127.0.0.1 port 1 "
http_proxy=http://127.0.0.1:1 alone 5 stat "s3://b/k?endpoint=http://127.0.0.1:$port&attempts=1"
says "127.0.0.1 port 1 "
name="a proxy that nothing speaks to"
alone 2 stat "s3://b/k?endpoint=http://127.0.0.1:$port&proxy=gopher://127.0.0.1:1"
says "option proxy: expected"
http_proxy=gopher://user:romasecretofthetest@127.0.0.1:1 alone 5 stat "s3://b/k?endpoint=http://127.0.0.1:$port&attempts=1"
name="a password of a proxy on the command line"
alone 2 stat "s3://b/k?endpoint=http://127.0.0.1:$port&proxy=http://user:romasecretofthetest@127.0.0.1:1"
says "the option proxy holds a password"

name="half of the keys"
AWS_SECRET_ACCESS_KEY='' alone 4 stat "s3://b/k?endpoint=http://127.0.0.1:$port"
says "no keys were found (AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not)"
name="a profile that is nowhere"
alone 4 stat "s3://b/k?endpoint=http://127.0.0.1:$port&profile=nope"
says "no keys were found (the profile nope has none in"
AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' AWS_PROFILE=nope alone 4 stat "s3://b/k?endpoint=http://127.0.0.1:$port"
says "no keys were found (the profile nope has none in"

name="links"
alone 2 presign --part 3 "s3://b/k?endpoint=http://127.0.0.1:$port"
alone 2 presign --upload-id U "s3://b/k?endpoint=http://127.0.0.1:$port"
alone 2 presign --method GET --upload-id U --part 3 "s3://b/k?endpoint=http://127.0.0.1:$port"
alone 0 presign --upload-id U --part 3 "s3://b/k?endpoint=http://127.0.0.1:$port"
alone 0 presign --json --method POST --prefix "s3://b/user/7/?endpoint=http://127.0.0.1:$port"
grep -q '"key":"user/7/"' "$folder/out" || fail "$(cat "$folder/out")"
: >"$folder/out" # a link has a signature

# What to do is said, not only the server's word.
begin "an object that is not there"
answer 'HTTP/1.1 404 Not Found' 'Content-Length: 0' ''
go 3 cat s3://b/kQUERY
says "there is no such object, or no such bucket"
begin "a bucket that is not there, for a HEAD"
answer 'HTTP/1.1 404 Not Found' 'Content-Length: 0' ''
go 3 ping s3://bQUERY
says "there is no such bucket; roma mb makes one"
begin "a bucket that is not there"
free_name
error '404 Not Found' NoSuchBucket
go 3 put "$work/five" s3://b/kQUERY
says "there is no such bucket; roma mb makes one"
begin "the name of no bucket"
answer 'HTTP/1.1 404 Not Found' 'Content-Length: 0' ''
error '400 Bad Request' InvalidBucketName
go 2 mb s3://bQUERY
says "names of buckets have 3 to 63"
begin "an upload that has ended, as radosgw says it"
error '404 Not Found' NoSuchKey
go 3 upload parts --upload-id U s3://b/kQUERY
says "there is no such upload, or it has ended"
begin "an upload without parts"
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>'
go 2 upload complete --upload-id U s3://b/kQUERY
says "no part has been put yet"

finish faults
