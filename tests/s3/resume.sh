#!/bin/bash
# put --resume meets an upload that is there: it is taken up where its parts can be completed, and then nobody is deceived about
# the attributes of the object.
set -u
# shellcheck source=tests/s3/functions.sh
. "$SRC_DIR/tests/s3/functions.sh"

head_of 17825792 # 17 MiB, two parts of 16
first=$(head -c 16777216 "$work/local" | md5sum | cut -d' ' -f1)
five=5d41402abc4b2a76b9719d911017c592

xml() { answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$1"; }
# left BYTES MD5: the name is free, and an upload of it was left with a first part of that many bytes.
left() {
  free_name
  xml "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>OLD</UploadId><Initiated>2013-05-24T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>"
  xml "<ListPartsResult><Part><PartNumber>1</PartNumber><Size>$1</Size><ETag>\"$2\"</ETag></Part></ListPartsResult>"
}
part() { answer 'HTTP/1.1 200 OK' "ETag: \"$five\"" 'Content-Length: 0' ''; }
# completed HEADER...: the answer to complete, how long the object is, and its headers when it is looked at.
completed() {
  xml "<CompleteMultipartUploadResult><ETag>\"x-2\"</ETag></CompleteMultipartUploadResult>"
  answer 'HTTP/1.1 200 OK' 'ETag: "x-2"' 'Content-Length: 17825792' ''
  [ $# = 0 ] || answer 'HTTP/1.1 200 OK' 'ETag: "x-2"' 'Content-Length: 17825792' "$@" ''
}
sent() { grep -c "^PUT /b/k?partNumber=.*&uploadId=$1 " "$folder/log"; }
silent() { if grep -qF -- "$1" "$folder/err"; then fail "\"$1\" not expected in: $(cat "$folder/err")"; fi; }

asks=(--content-type image/png --meta 'colour=blue' --header 'x-amz-acl: private')

begin "the upload was begun with the same attributes"
left 16777216 "$first"
part
completed 'Content-Type: image/png' 'x-amz-meta-colour: blue'
go 0 put -v --resume "${asks[@]}" "$work/local" s3://b/kQUERY
says "goes on with the upload OLD of 2013-05-2"
says "does not tell the object's x-amz-acl"
silent "was asked for"
grep -qF "1 of 2 parts were there" "$folder/out" || fail "the part that is there was put: $(cat "$folder/out")"

begin "it was begun with others"
left 16777216 "$first"
part
completed 'Content-Type: text/plain'
go 1 put --resume "${asks[@]}" "$work/local" s3://b/kQUERY
says "the object has Content-Type: text/plain where image/png was asked for"
says "the object has no colour where blue was asked for"

begin "it was begun without the time that is to be kept"
left 16777216 "$first"
part
completed 'Last-Modified: Fri, 24 May 2013 00:00:00 GMT'
go 1 put --resume --keep-times "$work/local" s3://b/kQUERY
says "the object has mtime: 2013-05-2"

begin "it was begun with the time of a file from before 1970"
touch -d '1969-12-31 23:59:58.5 UTC' "$work/local"
left 16777216 "$first"
part
completed 'x-amz-meta-mtime: -1.5'
go 0 put --resume --keep-times "$work/local" s3://b/kQUERY
silent "was asked for"
touch "$work/local"

begin "nothing is asked for"
left 16777216 "$first"
part
completed
go 0 put --resume "$work/local" s3://b/kQUERY
says "goes on with the upload OLD"
asked 7

# What the server would say at the end, when everything has been sent: EntityTooSmall.
for vendor in radosgw oss; do
  begin "its parts are too short for the complete of $vendor"
  case $vendor in oss) bytes=100000 ;; *) bytes=4194304 ;; esac
  left $bytes "$first"
  xml '<InitiateMultipartUploadResult><UploadId>NEW</UploadId></InitiateMultipartUploadResult>'
  part
  part
  completed
  vendor=$vendor more='&dialect=aws4&checksum=none' go 0 put --resume "${asks[@]:0:4}" "$work/local" s3://b/kQUERY
  says "the upload OLD of 2013-05-2"
  says "is not taken up"
  silent "goes on"
  [ "$(sent OLD) $(sent NEW)" = '0 2' ] || fail "$(sent OLD) parts to the old one, $(sent NEW) to the new one"
  grep -q '^POST /b/k?uploads' "$folder/log" || fail "no upload was begun"
  grep -qi '^content-type: image/png' "$folder/log" || fail "it was begun without the content type"
done

begin "they are long enough for oss"
left 4194304 "$(head -c 4194304 "$work/local" | md5sum | cut -d' ' -f1)"
for _ in 1 2 3 4; do part; done
completed
vendor=oss more='&dialect=aws4&checksum=none' go 0 put --resume "$work/local" s3://b/kQUERY
[ "$(sent OLD)" = 4 ] || fail "$(sent OLD) parts were put"

begin "they are short, and ?part= says that this server takes such"
left 4194304 "$(head -c 4194304 "$work/local" | md5sum | cut -d' ' -f1)"
for _ in 1 2 3 4; do part; done
completed
more='&part=4M' go 0 put --resume "$work/local" s3://b/kQUERY
[ "$(sent OLD)" = 4 ] || fail "$(sent OLD) parts were put"

begin "its only part is longer than the file"
left 2147483648 "$first"
part
completed
go 0 put --resume "$work/local" s3://b/kQUERY
[ "$(sent OLD)" = 1 ] || fail "the whole file is one part"

begin "its parts are longer than one that can be held"
truncate -s 1100M "$work/long"
left 2147483648 "$first"
error '403 Forbidden' AccessDenied
go 4 put --resume "$work/long" s3://b/kQUERY
says "and there parts have at most 1.0 GiB"
asked 5

begin "the program is ended while parts are on their way: only what stays is said"
free_name
xml "<ListMultipartUploadsResult></ListMultipartUploadsResult>"
xml "<InitiateMultipartUploadResult><UploadId>NEW</UploadId></InitiateMultipartUploadResult>"
for _ in 1 2; do answer '@wait' 'HTTP/1.1 200 OK' 'Content-Length: 0' ''; done
printf '#!/bin/sh\necho $$ >"%s"\nexec "%s/roma" "$@"\n' "$work/pid" "$BUILD_DIR" >"$work/ended"
chmod +x "$work/ended"
(
  for _ in $(seq 600); do
    [ "$(grep -cs '^PUT ' "$work/log")" != 2 ] || break
    sleep 0.05
  done
  kill -TERM "$(cat "$work/pid")"
) &
program=$(realpath --relative-to="$BUILD_DIR" "$work/ended") go 143 put --resume "$work/local" s3://b/kQUERY
says "ended by Terminated"
silent "cancelled"

finish "uploads that were there"
