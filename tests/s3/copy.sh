#!/bin/bash
# Copies that the server makes, by a scripted one: what it is asked for in each dialect, what becomes of its failures, and when
# the bytes are carried over here instead.
set -u
# shellcheck source=tests/s3/functions.sh
. "$SRC_DIR/tests/s3/functions.sh"

etag=5d41402abc4b2a76b9719d911017c592
copied="<CopyObjectResult><ETag>\"$etag\"</ETag></CopyObjectResult>"
source5=("${head5[@]:0:4}" 'Content-Type: text/x-odd' 'Cache-Control: no-store' 'x-amz-meta-colour: blue' 'x-amz-storage-class: COLD' '')
good() { answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$1"; }
# sent LINE, not_sent BEGINNING: in the requests that change something
sent() { tr -d '\r' <"$folder/log" | sed -n '/^P[UO][TS]/,/^$/p' | grep -qixF -- "$1" || fail "\"$1\" was not sent: $(cat "$folder/log")"; }
not_sent() { if tr -d '\r' <"$folder/log" | sed -n '/^P[UO][TS]/,/^$/p' | grep -qi -- "^$1"; then fail "$1 was sent: $(cat "$folder/log")"; fi; }
streams() { grep -q '^GET /b/from' "$folder/log" || fail "no bytes were read: $(cat "$folder/log")"; }
copies() { if grep -q '^GET /[a-z]*/from' "$folder/log"; then fail "bytes were read: $(cat "$folder/log")"; fi; }

for how in 'radosgw aws4 x-amz-' 'radosgw aws2 x-amz-' 'aws aws4 x-amz-' 'oss oss4 x-oss-' 'oss oss1 x-oss-' 'obs obs x-obs-'; do
  read -r vendor dialect prefix <<<"$how"
  begin "cp, $dialect of $vendor"
  free_name
  answer "${source5[@]}"
  good "$copied"
  answer "${head5[@]}"
  more="&dialect=$dialect&addressing=path" go 0 cp "s3://b/from x+é%25QUERY" s3://c/toQUERY
  copies
  sent "${prefix}copy-source: /b/from%20x%2B%C3%A9%25"
  sent "${prefix}copy-source-if-match: \"$etag\""
  sent "${prefix}metadata-directive: COPY"
  not_sent content-type
  grep -q '^PUT /c/to ' "$folder/log" || fail "not put to /c/to"
done
vendor=radosgw

begin "cp with other metadata: the source's are sent too"
free_name
answer "${source5[@]}"
good "$copied"
answer "${head5[@]}"
go 0 cp --meta Taste=sour --cache-control max-age=5 --header 'x-amz-storage-class: WARM' s3://b/fromQUERY s3://b/toQUERY
copies
for line in 'x-amz-metadata-directive: REPLACE' 'x-amz-meta-taste: sour' 'x-amz-meta-colour: blue' 'Cache-Control: max-age=5' \
  'Content-Type: text/x-odd' 'x-amz-storage-class: WARM'; do sent "$line"; done
not_sent 'cache-control: no-store'

begin "cp --keep-times of what has no time of its own"
free_name
answer "${source5[@]}"
good "$copied"
answer "${head5[@]}"
go 0 cp --keep-times s3://b/fromQUERY s3://b/toQUERY
sent 'x-amz-metadata-directive: REPLACE'
sent 'x-amz-meta-mtime: 1369353600.000000000'
sent 'x-amz-meta-colour: blue'

begin "mv"
free_name
answer "${source5[@]}" # what it is
free_name              # nothing that could be it
answer "${source5[@]}" # what is copied
good "$copied"
answer "${head5[@]}"    # the copy
answer "${source5[@]}"  # has it changed
answer "${source5[@]}"  # unlink looks
answer 'HTTP/1.1 204 No Content' ''
go 0 mv s3://b/fromQUERY s3://b/toQUERY
copies
grep -q '^DELETE /b/from ' "$folder/log" || fail "the source stays"

begin "mv: the destination looks like the source, so nothing is done"
free_name
answer "${source5[@]}"
answer "${source5[@]}"
go 2 mv s3://b/fromQUERY s3://b/toQUERY
says "seems to be the same object"
if grep -q '^PUT\|^DELETE' "$folder/log"; then fail "something was changed"; fi

begin "an error in an answer that began well is tried again"
free_name
answer "${source5[@]}"
error '200 OK' InternalError
good "$copied"
answer "${head5[@]}"
go 0 cp s3://b/fromQUERY s3://b/toQUERY
[ "$(grep -c '^PUT /b/to ' "$folder/log")" = 2 ] || fail "it was not tried again"

for body in '' '   ' '<CopyObjectResult><ETag>"x' '<CopyObjectResult></CopyObjectResult>'; do
  begin "200 and then \"$body\": nobody knows"
  free_name
  answer "${source5[@]}"
  good "$body"
  go 8 cp s3://b/fromQUERY s3://b/toQUERY
  says "does not say that the copy is there"
done

begin "the source is replaced meanwhile"
free_name
answer "${source5[@]}"
error '412 Precondition Failed' PreconditionFailed
go 7 cp s3://b/fromQUERY s3://b/toQUERY
says "replaced while it was copied"

begin "the copy has another ETag"
free_name
answer "${source5[@]}"
good '<CopyObjectResult><ETag>"00000000000000000000000000000000"</ETag></CopyObjectResult>'
answer "${source5[@]}" # the source is still that one
answer 'HTTP/1.1 200 OK' 'Content-Length: 5' 'ETag: "00000000000000000000000000000000"' ''
go 8 cp s3://b/fromQUERY s3://b/toQUERY
says "has the ETag 0000"
begin "the copy has another ETag, because it is encrypted"
free_name
answer "${source5[@]}"
good '<CopyObjectResult><ETag>"00000000000000000000000000000000"</ETag></CopyObjectResult>'
answer "${source5[@]}" # the source is still that one
answer 'HTTP/1.1 200 OK' 'Content-Length: 5' 'ETag: "00000000000000000000000000000000"' 'x-amz-server-side-encryption: aws:kms' ''
go 0 cp s3://b/fromQUERY s3://b/toQUERY
begin "a server that does not mind the condition copies what has replaced the source"
free_name
answer "${source5[@]}"
good '<CopyObjectResult><ETag>"00000000000000000000000000000000"</ETag></CopyObjectResult>'
answer 'HTTP/1.1 200 OK' 'Content-Length: 5' 'ETag: "00000000000000000000000000000000"' ''
go 8 cp s3://b/fromQUERY s3://b/toQUERY
says "replaced while it was copied"
begin "the copy has another length"
free_name
answer "${source5[@]}"
good "$copied"
answer 'HTTP/1.1 200 OK' 'Content-Length: 4' "ETag: \"$etag\"" ''
go 8 cp s3://b/fromQUERY s3://b/toQUERY
says "has 4 bytes, the source has 5"
begin "there is no source"
free_name
answer 'HTTP/1.1 404 Not Found' 'Content-Length: 0' ''
go 3 cp s3://b/fromQUERY s3://b/toQUERY
says "b/from"

begin "a copy to itself"
answer "${head5[@]}"
go 2 cp s3://b/fromQUERY s3://b/fromQUERY
says "the same object"
if grep -q '^PUT\|^DELETE' "$folder/log"; then fail "something was changed"; fi
for how in '--meta taste=sour' --no-meta '--content-type text/x-new'; do
  begin "a copy to itself gives it new metadata: $how"
  answer "${source5[@]}" # it is no folder
  answer "${source5[@]}"
  good "$copied"
  answer "${head5[@]}"
  # shellcheck disable=SC2086 # words
  go 0 cp $how s3://b/fromQUERY s3://b/fromQUERY
  copies
  sent 'x-amz-metadata-directive: REPLACE'
  sent "x-amz-copy-source-if-match: \"$etag\""
  sent 'x-amz-copy-source: /b/from'
  case $how in
  --no-meta) not_sent x-amz-meta-colour && not_sent cache-control && sent 'Content-Type: text/x-odd' ;;
  --meta*) sent 'x-amz-meta-taste: sour' && sent 'x-amz-meta-colour: blue' && sent 'Content-Type: text/x-odd' ;;
  *) sent 'Content-Type: text/x-new' && sent 'x-amz-meta-colour: blue' && sent 'Cache-Control: no-store' ;;
  esac
done
begin "a copy to itself: it is replaced meanwhile"
answer "${source5[@]}"
answer "${source5[@]}"
error '412 Precondition Failed' PreconditionFailed
go 7 cp --meta a=b s3://b/fromQUERY s3://b/fromQUERY
says "replaced while it was copied"
begin "a file has no metadata that could be new"
go 2 cp --no-meta "$work/five" "$work/five"
says "the same object"
begin "a move to itself"
for _ in 1 2 3; do answer "${head5[@]}"; done
go 2 mv s3://b/fromQUERY s3://b/fromQUERY
if grep -q '^PUT\|^DELETE' "$folder/log"; then fail "something was changed"; fi

# In parts: 12000 bytes of at most 5000 at once.
big=('HTTP/1.1 200 OK' 'Content-Length: 12000' 'ETag: "11111111111111111111111111111111"' 'Content-Type: text/x-odd' 'x-amz-meta-colour: blue' '')
created='<InitiateMultipartUploadResult><UploadId>UP1</UploadId></InitiateMultipartUploadResult>'
part="<CopyPartResult><ETag>\"$etag\"</ETag></CopyPartResult>"
whole=$(printf '\x5d\x41\x40\x2a\xbc\x4b\x2a\x76\xb9\x71\x9d\x91\x10\x17\xc5\x92%.0s' 1 2 3 | md5sum | cut -d' ' -f1)-3
end_=("HTTP/1.1 200 OK" 'Content-Length: 12000' "ETag: \"$whole\"" '')
begin "in parts"
free_name
answer "${big[@]}"
good "$created"
for _ in 1 2 3; do good "$part"; done
answer "${big[@]}" # the source is still that one
good "<CompleteMultipartUploadResult><ETag>\"$whole\"</ETag></CompleteMultipartUploadResult>"
answer "${end_[@]}"
answer "${end_[@]}"
more='&copy=5000&part=5000' go 0 cp s3://b/fromQUERY s3://b/toQUERY
copies
for line in 'x-amz-copy-source-range: bytes=0-4999' 'x-amz-copy-source-range: bytes=5000-9999' 'x-amz-copy-source-range: bytes=10000-11999' \
  'x-amz-copy-source-if-match: "11111111111111111111111111111111"' 'x-amz-meta-colour: blue' 'Content-Type: text/x-odd'; do sent "$line"; done
begin "in parts: one fails, so nothing stays"
free_name
answer "${big[@]}"
good "$created"
for _ in 1 2 3; do error '403 Forbidden' AccessDenied; done
answer 'HTTP/1.1 204 No Content' ''
answer 'HTTP/1.1 204 No Content' ''
more='&copy=5000&part=5000' go 4 cp s3://b/fromQUERY s3://b/toQUERY
grep -q '^DELETE /b/to?uploadId=UP1 ' "$folder/log" || fail "the upload was not aborted"
for now in 'ETag: "22222222222222222222222222222222"' 'Last-Modified: Fri, 24 May 2013 00:00:01 GMT'; do
  begin "in parts: some may be of another version, so nothing is shown: $now"
  free_name
  answer "${big[@]}"
  good "$created"
  for _ in 1 2 3; do good "$part"; done
  case $now in ETag*) answer "${big[@]/#ETag*/$now}" ;; *) answer "${big[@]:0:4}" "$now" "${big[@]:4}" ;; esac
  answer 'HTTP/1.1 204 No Content' ''
  more='&copy=5000&part=5000' go 7 cp s3://b/fromQUERY s3://b/toQUERY
  says "replaced while it was copied"
  grep -q '^DELETE /b/to?uploadId=UP1 ' "$folder/log" || fail "the upload was not aborted"
  if grep -q '^POST /b/to?uploadId=UP1 ' "$folder/log"; then fail "it was completed"; fi
done
begin "in parts: 200 with an error is tried again"
free_name
answer "${big[@]}"
good "$created"
error '200 OK' InternalError
for _ in 1 2 3; do good "$part"; done
answer "${big[@]}" # the source is still that one
good "<CompleteMultipartUploadResult><ETag>\"$whole\"</ETag></CompleteMultipartUploadResult>"
answer "${end_[@]}"
answer "${end_[@]}"
more='&copy=5000&part=5000' go 0 cp s3://b/fromQUERY s3://b/toQUERY

# Carried over here, with all that the source has.
for how in '&copy=no' --verify=crc32; do
  begin "not by the server: $how"
  free_name
  answer "${source5[@]}"
  answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
  answer 'HTTP/1.1 200 OK' "ETag: \"$etag\"" 'Content-Length: 0' ''
  answer "${head5[@]}"
  answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
  case $how in --*) go 0 cp "$how" s3://b/fromQUERY s3://b/toQUERY ;; *) more=$how go 0 cp s3://b/fromQUERY s3://b/toQUERY ;; esac
  streams
  not_sent x-amz-copy-source
  for line in 'Content-Type: text/x-odd' 'Cache-Control: no-store' 'x-amz-meta-colour: blue'; do sent "$line"; done
  not_sent x-amz-storage-class
done

# What the destination does not take of the source's metadata: an error that names the way out, which is one.
for meta in 'x-amz-meta-a_b: c' 'x-amz-meta-colour: bl\xc3\xbc' 'x-amz-meta-empty:' "x-amz-meta-long: $(head -c 8193 /dev/zero | tr '\0' x)" \
  'Content-Disposition: inline; filename="\xc3\xbc"'; do
  for how in '' --no-meta; do
    begin "carried over here $how: ${meta:0:40}"
    free_name
    answer "${head5[@]:0:4}" 'Content-Type: text/x-odd' "$(printf '%b' "$meta")" 'x-amz-meta-good: yes' ''
    answer "${ranged[@]}" 'Content-Length: AUTO' '' hello
    answer 'HTTP/1.1 200 OK' "ETag: \"$etag\"" 'Content-Length: 0' ''
    # shellcheck disable=SC2086 # none or one
    more='&copy=no' go "$([ -z "$how" ] && echo 2 || echo 0)" cp $how s3://b/fromQUERY s3://b/toQUERY
    if [ -z "$how" ]; then
      says "(--no-meta, ROMA_NO_PROPS)"
      if grep -q '^PUT' "$folder/log"; then fail "it was put"; fi
    else
      sent 'Content-Type: text/x-odd'
      not_sent x-amz-meta
      not_sent content-disposition
    fi
  done
done

finish "copies"
