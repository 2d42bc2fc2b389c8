#!/bin/bash
# Checksums, by a scripted server: which header goes to whom, for a whole object, its parts and all of them; that an answer with
# another checksum is no success; and that bytes which do not have what the server says of them are not taken for the object.
set -u
# shellcheck source=tests/s3/functions.sh
. "$SRC_DIR/tests/s3/functions.sh"

put_ok=('HTTP/1.1 200 OK' 'ETag: "5d41402abc4b2a76b9719d911017c592"' 'Content-Length: 0' '')
created='<InitiateMultipartUploadResult><UploadId>UP1</UploadId></InitiateMultipartUploadResult>'
# sent REQUEST LINE COUNT: among the headers of the requests that begin so
sent() {
  local n
  n=$(tr -d '\r' <"$folder/log" | awk -v RS= -v start="$1" 'index($0, start) == 1' | grep -cixF -- "$2")
  [ "$n" = "$3" ] || fail "\"$2\" came $n times with $1, not $3: $(cat "$folder/log")"
}

# Of hello; of 4096, 3808 and 12000 times a: by a loop over bits in Python.
while read -r sum algorithm hello part last all; do
  for vendor in aws radosgw; do
    begin "put with $sum to $vendor"
    free_name
    answer "${put_ok[@]:0:2}" "x-amz-checksum-$sum: $hello" "${put_ok[@]:2}"
    more="&checksum=$sum" go 0 put "$work/five" s3://b/kQUERY
    sent 'PUT /b/k' "x-amz-checksum-$sum: $hello" 1
  done
  vendor=aws
  begin "put with $sum: the server has another"
  free_name
  answer "${put_ok[@]:0:2}" "x-amz-checksum-$sum: $part" "${put_ok[@]:2}"
  more="&checksum=$sum" go 8 put "$work/five" s3://b/kQUERY
  says "the server has $algorithm $part of what was sent, it must be $hello"
  for told in "$all" "$part" 'AAAAAA==-3' ''; do
    begin "$sum in parts, and at the end it is \"$told\""
    free_name
    head_of 12000
    answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$created"
    for _ in 1 2 3; do answer 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''; done
    answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' \
      "<CompleteMultipartUploadResult><ETag>\"y-3\"</ETag>${told:+<Checksum$algorithm>$told</Checksum$algorithm>}</CompleteMultipartUploadResult>"
    case $told in "$part") want=8 ;; *) want=0 ;; esac
    more="&part=4096&checksum=$sum" go $want put "$work/local" s3://b/kQUERY
    sent 'POST /b/k?uploads' "x-amz-checksum-algorithm: $algorithm" 1
    sent 'POST /b/k?uploads' 'x-amz-checksum-type: FULL_OBJECT' 1
    sent 'PUT /b/k?partNumber' "x-amz-checksum-$sum: $part" 2
    sent 'PUT /b/k?partNumber' "x-amz-checksum-$sum: $last" 1
    sent 'POST /b/k?uploadId' "x-amz-checksum-$sum: $all" 1
    sent 'POST /b/k?uploadId' 'x-amz-checksum-type: FULL_OBJECT' 1
    [ $want = 0 ] || says "the finished object has $algorithm $part, it must be $all"
  done
done <<'END'
crc32 CRC32 NhCmhg== nJnccw== eWahxA== GXXqKA==
crc32c CRC32C mnG7TA== JsdMog== S2dqig== NAFV+g==
crc64nvme CRC64NVME M3eFcAZSQlc= 8rxZll/PnRI= Qcxcd9YTTM4= Jo5T5KutrAc=
END

# The CRC-64 of OSS comes back in decimal.
for sum in 11177612005948864433 9301107126475280818; do
  begin "oss has the CRC-64 $sum"
  free_name
  answer "${put_ok[@]:0:2}" "x-oss-hash-crc64ecma: $sum" "${put_ok[@]:2}"
  case $sum in 111*) want=0 ;; *) want=8 ;; esac
  vendor=oss more='&addressing=path' go $want put "$work/five" oss://b/kQUERY
done
for sum in 8976866330756565480 8976866330756565481; do
  begin "oss has the CRC-64 $sum of all parts"
  free_name
  head_of 12000
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "$created"
  for _ in 1 2 3; do answer 'HTTP/1.1 200 OK' 'ETag: "x"' 'Content-Length: 0' ''; done
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' "x-oss-hash-crc64ecma: $sum" '' \
    '<CompleteMultipartUploadResult><ETag>"y-3"</ETag></CompleteMultipartUploadResult>'
  case $sum in *0) want=0 ;; *) want=8 ;; esac
  vendor=oss more='&addressing=path&part=4096' go $want put "$work/local" oss://b/kQUERY
done

# What nobody would look at is refused before anything is sent.
for how in 'oss crc32c' 'obs crc64nvme' 'aws crc64' 'radosgw crc64' 'obs crc32'; do
  begin "refused: ${how#* } for ${how% *}"
  case $how in o*) scheme=${how%% *} ;; *) scheme=s3 ;; esac
  vendor=${how% *} more="&addressing=path&checksum=${how#* }" go 2 put "$work/five" "$scheme://b/kQUERY"
  says "${how#* } is not checked by vendor ${how% *}"
  asked 0
done

# reads EXIT VENDOR OPTION HEAD-LINE...: hello, of which the answer to HEAD says that
vendor=
reads() {
  local want=$1
  vendor=$2 more=$3
  shift 3
  answer "${head5[@]:0:2}" "$@" 'Last-Modified: Fri, 24 May 2013 00:00:00 GMT' ''
  answer "${ranged[@]:0:2}" 'Content-Length: AUTO' '' hello
  rm -f "$work/got"
  go "$want" get s3://b/kQUERY "$work/got"
  if [ "$want" = 0 ]; then cmp "$work/got" "$work/five" || fail "other bytes"; elif [ -e "$work/got" ]; then fail "damaged bytes were stored"; fi
}
good=5d41402abc4b2a76b9719d911017c592 bad=00000000000000000000000000000000
while read -r sum right wrong; do
  begin "get: the server keeps $sum"
  reads 0 aws '' "x-amz-checksum-$sum: $right" "ETag: \"$good\""
  grep -qi '^x-amz-checksum-mode: ENABLED' "$folder/log" || fail "it was not asked for"
  begin "get: the server keeps another $sum"
  reads 7 aws '' "x-amz-checksum-$sum: $wrong" 'x-amz-checksum-type: FULL_OBJECT' "ETag: \"$good\""
  says "as the server was given them: they are damaged there or on the way; read it again"
done <<'END'
crc32 NhCmhg== NhCmhw==
crc32c mnG7TA== mnG7TQ==
crc64nvme M3eFcAZSQlc= M3eFcAZSQlg=
sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00= qvTGHdzF6KLavt4PO0gs2a6pQ04=
sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ= LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCU=
END
begin "get: a checksum of the parts' checksums says nothing of the bytes"
reads 0 aws '' 'x-amz-checksum-crc32c: AAAAAA==' 'x-amz-checksum-type: COMPOSITE' "ETag: \"$bad-2\""
for sum in '11177612005948864433 0' '11177612005948864434 7'; do
  begin "get: the CRC-64 of OSS is ${sum% *}"
  reads "${sum#* }" oss '&dialect=aws4&addressing=path' "x-oss-hash-crc64ecma: ${sum% *}" "ETag: \"$bad\""
done

# Nothing but the ETag. It is what it is on each of these; in capitals too.
for how in "aws|0|ETag: \"$good\"" "radosgw|0|ETag: \"${good^^}\"" "aws|7|ETag: \"$bad\"" "minio|7|ETag: \"$bad\"" \
  "radosgw|7|ETag: \"$bad\"" "generic|0|ETag: \"$bad\"" "radosgw|0|ETag: \"$bad-2\"" 'radosgw|0|ETag: "x"'; do
  IFS='|' read -r vendor want etag <<<"$how"
  begin "get from $vendor with $etag"
  reads "$want" "$vendor" '' "$etag"
  [ "$want" = 0 ] || says "its bytes have MD5 $good as they came, and $bad as its ETag says"
  [ "$want" = 0 ] || says "?verify=no"
done
for line in 'x-amz-server-side-encryption: aws:kms' 'x-amz-server-side-encryption-customer-algorithm: AES256' 'x-rgw-object-type: Appendable'; do
  begin "get: the ETag is no MD5, because of $line"
  reads 0 radosgw '' "ETag: \"$bad\"" "$line"
done
begin "get: encrypted with the server's own keys it is one"
reads 7 aws '' "ETag: \"$bad\"" 'x-amz-server-side-encryption: AES256'
for more in '&verify=no 0' '&checksum=none 0' '&checksum=none&verify=etag 7'; do
  begin "get with ${more% *}"
  reads "${more#* }" radosgw "${more% *}" "ETag: \"$bad\""
done
head_of 300000 # a worker's work
for sum in "$(md5sum <"$work/local") 0" "$bad 7"; do
  read -r etag want <<<"${sum/-/}"
  begin "get of more bytes, whose ETag is $etag"
  answer 'HTTP/1.1 200 OK' 'Content-Length: 300000' "ETag: \"$etag\"" ''
  answer 'HTTP/1.1 206 Partial Content' 'Content-Range: bytes 0-299999/300000' 'Content-Length: AUTO' '' "$(cat "$work/local")"
  rm -f "$work/got"
  more='' vendor=radosgw go "$want" get s3://b/kQUERY "$work/got"
  if [ "$want" = 0 ]; then cmp "$work/got" "$work/local" || fail "other bytes"; elif [ -e "$work/got" ]; then fail "damaged bytes were stored"; fi
done
begin "get from generic, whose ETags are said to be MD5"
reads 7 generic '&verify=etag' "ETag: \"$bad\""
begin "cat of a part of it: nothing to compare"
answer "${head5[@]:0:2}" "ETag: \"$bad\"" ''
answer 'HTTP/1.1 206 Partial Content' 'Content-Range: bytes 1-3/5' 'Content-Length: AUTO' '' ell
more='' vendor=radosgw go 0 cat --offset 1 --length 3 s3://b/kQUERY
# Of ell: of a range the server may say something too.
for sum in 'PBHZAQ== 0' 'PBHZAA== 7' 'NhCmhg== 0'; do
  begin "a range of which the server says ${sum% *}"
  answer "${head5[@]:0:2}" "ETag: \"$good\"" 'x-amz-checksum-crc32: NhCmhg==' ''
  answer 'HTTP/1.1 206 Partial Content' 'Content-Range: bytes 1-3/5' "x-amz-checksum-crc32: ${sum% *}" 'Content-Length: AUTO' '' ell
  more='' vendor=aws go "${sum#* }" cat --offset 1 --length 3 s3://b/kQUERY
  [ "${sum#* }" = 0 ] || says "read them again"
done

finish "checksums"
