#!/bin/bash
# Small objects that a list has told of come with one GET of that version, without a HEAD before; and when the object has
# become another one since, the bytes are those that it has now.
set -u
# shellcheck source=tests/s3/functions.sh
. "$SRC_DIR/tests/s3/functions.sh"

hello=5d41402abc4b2a76b9719d911017c592 # MD5 of hello
other=b32d73e56ec99bc5ec8f83871cde708a # of another
whole=('HTTP/1.1 200 OK' "ETag: \"$hello\"" 'Last-Modified: Fri, 24 May 2013 00:00:00 GMT')

# listed [SIZE]: the folder d is there, and has one object
listed() {
  for _ in 1 2; do answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "<ListBucketResult><Contents><Key>d/x</Key><Size>${1:-5}</Size><ETag>\"$hello\"</ETag>\
<LastModified>2013-05-24T00:00:00.000Z</LastModified></Contents></ListBucketResult>"; done
}
# As it is now, found by HEAD and read by range.
now_another() {
  answer 'HTTP/1.1 200 OK' 'Content-Length: 7' "ETag: \"$other\"" ''
  answer 'HTTP/1.1 206 Partial Content' 'Content-Range: bytes 0-6/7' "ETag: \"$other\"" 'Content-Length: AUTO' '' another
}
# got EXIT BYTES REQUESTS: after the list these were sent (GET, HEAD), and the file has the bytes, or is not there.
got() {
  local sent
  rm -rf "$work/to"
  go "$1" get -r s3://b/d/QUERY "$work/to"
  sent=$(sed -n 's,^\([A-Z]*\) /b/d/x.*,\1,p' "$folder/log" | tr '\n' ' ')
  [ "$sent" = "$3 " ] || fail "the requests for the object were: $sent"
  if [ -n "$2" ]; then
    [ "$(cat "$work/to/x")" = "$2" ] || fail "the bytes are $(cat "$work/to/x")"
  else
    [ -z "$(find "$work/to" -type f 2>/dev/null)" ] || fail "something was left: $(find "$work/to" -type f)"
  fi
}

begin "one request for a small object"
listed
answer "${whole[@]}" 'Content-Length: AUTO' '' hello
got 0 hello GET
grep -q "^If-Match: \"$hello\"" "$folder/log" || fail "any version would have done"
! grep -q '^Range:' "$folder/log" || fail "a range was asked for"

begin "a large object is read by range"
listed 300000
answer 'HTTP/1.1 200 OK' 'Content-Length: 7' "ETag: \"$other\"" ''
answer 'HTTP/1.1 206 Partial Content' 'Content-Range: bytes 0-6/7' "ETag: \"$other\"" 'Content-Length: AUTO' '' another
got 0 another 'HEAD GET'

begin "an empty one needs no bytes"
listed 0
answer 'HTTP/1.1 200 OK' 'Content-Length: 0' 'ETag: "d41d8cd98f00b204e9800998ecf8427e"' ''
rm -rf "$work/to"
go 0 get -r s3://b/d/QUERY "$work/to"
if [ ! -e "$work/to/x" ] || [ -s "$work/to/x" ]; then fail "it is not empty"; fi

begin "replaced since the list"
listed
error '412 Precondition Failed' PreconditionFailed
now_another
got 0 another 'GET HEAD GET'

begin "replaced by a longer one, and the server knows no If-Match"
listed
answer 'HTTP/1.1 200 OK' "ETag: \"$other\"" 'Content-Length: AUTO' '' another
now_another
got 0 another 'GET HEAD GET'

begin "replaced by a shorter one, and the server knows no If-Match"
listed
answer 'HTTP/1.1 200 OK' "ETag: \"$other\"" 'Content-Length: AUTO' '' sho
now_another
got 0 another 'GET HEAD GET'

begin "the answer does not say how long it is"
listed
answer '@close' "${whole[@]}" 'Transfer-Encoding: chunked' '' $'5\r\nhello\r\n0\r\n\r\n'
answer "${whole[@]}" 'Content-Length: 5' ''
answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
got 0 hello 'GET HEAD GET'

begin "nor does it say so at HEAD"
listed
answer '@close' "${whole[@]}" 'Transfer-Encoding: chunked' '' $'5\r\nhello\r\n0\r\n\r\n'
answer "${whole[@]}" 'Transfer-Encoding: chunked' ''
got 5 '' 'GET HEAD'
says "does not say how long"

begin "removed since the list"
listed
error '404 Not Found' NoSuchKey
got 3 '' GET

begin "cut in the middle, then good"
listed
answer '@cut 2' "${whole[@]}" 'Content-Length: AUTO' '' hello
answer "${whole[@]}" 'Content-Length: AUTO' '' hello
got 0 hello 'GET GET'

begin "other bytes than its checksum says"
listed
answer "${whole[@]}" 'x-amz-checksum-crc32: NhCmhQ==' 'Content-Length: AUTO' '' hellO
vendor=aws more='&addressing=path' got 7 '' GET
says "as the server says"

begin "other bytes than its ETag says, where that is their MD5"
listed
answer "${whole[@]}" 'Content-Length: AUTO' '' hellO
more='&checksum=md5' got 7 '' GET

finish "ways in which small objects came"
