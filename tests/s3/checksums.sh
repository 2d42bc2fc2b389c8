#!/bin/bash
# Checksums of what is put, by a scripted server: which header goes to whom, for a whole object, its parts and all of them; and
# that an answer with another checksum is no success.
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
  more="&checksum=$sum" go 7 put "$work/five" s3://b/kQUERY
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
  case $sum in 111*) want=0 ;; *) want=7 ;; esac
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

finish "checksums"
