#!/bin/bash
# Each call of roma/upload.h against a scripted server, each with the same faults: it ends in the right retry or the right
# error, in time, and nothing of it is left in the loop.
set -u
if [ ! -e "$BUILD_DIR/.libs/s3compat.so" ] || [ ! -x "$BUILD_DIR/tests/s3/upload-call" ]; then
  echo "the module for S3 was not built"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export AWS_ACCESS_KEY_ID=ROMAIDOFTHETEST AWS_SECRET_ACCESS_KEY=romasecretofthetest AWS_SESSION_TOKEN=romatokenofthetest
export AWS_SHARED_CREDENTIALS_FILE=$work/none AWS_CONFIG_FILE=$work/none
unset http_proxy HTTP_PROXY AWS_PROFILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_REGION AWS_DEFAULT_REGION AWS_CA_BUNDLE
at_once=6

calls=(begin part parts list complete abort)
five=5d41402abc4b2a76b9719d911017c592
whole=$(printf '\x5d\x41\x40\x2a\xbc\x4b\x2a\x76\xb9\x71\x9d\x91\x10\x17\xc5\x92' | md5sum | cut -d' ' -f1)-1
date='Fri, 24 May 2013 00:00:00 GMT'

# What is said at the end when all is well, and the body of the answer to it.
declare -A good=(
  [begin]='ROMA_OK done UP1' [part]="ROMA_OK done $five" [parts]="ROMA_OK done 1:$five:5"
  [list]='ROMA_OK done k:UP1' [complete]="ROMA_OK done $whole" [abort]='ROMA_OK done'
)
declare -A body=(
  [begin]='<InitiateMultipartUploadResult><UploadId>UP1</UploadId></InitiateMultipartUploadResult>'
  [part]=''
  [parts]="<ListPartsResult><Part><PartNumber>1</PartNumber><Size>5</Size><ETag>\"$five\"</ETag></Part></ListPartsResult>"
  [list]='<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>UP1</UploadId></Upload></ListMultipartUploadsResult>'
  [complete]="<CompleteMultipartUploadResult><ETag>\"$whole\"</ETag></CompleteMultipartUploadResult>"
  [abort]=''
)
more_of() { [ "$1" = complete ] && echo 1 || echo 0; } # requests behind a good answer: how long the object is

# The functions of a case write the answers of the script, for the call $call.
answer() {
  answers=$((answers + 1))
  printf '%s\n' "$@" >"$folder/$(printf %02d $answers)"
}
well() { # [DIRECTION]
  answer ${1:+"$1"} 'HTTP/1.1 200 OK' "ETag: \"$five\"" 'Content-Length: AUTO' '' "${body[$call]}"
  [ "$call" != complete ] || object "$whole"
}
object() { answer 'HTTP/1.1 200 OK' "ETag: \"$1\"" 'Content-Length: 5' "Last-Modified: $date" ''; }
error() { # STATUS CODE [HEADER]
  answer "HTTP/1.1 $1" ${3:+"$3"} 'Content-Length: AUTO' '' "<Error><Code>$2</Code><Message>so</Message></Error>"
}
gone() { error '404 Not Found' NoSuchUpload; }

# begin_case NAME CALL: the folder of its script
begin_case() {
  name="$2: $1" call=$2
  folder=$work/$((++nr))
  mkdir "$folder"
  answers=0 more=
  printf 'HTTP/1.1 500 Internal Server Error\nContent-Length: 0\n\n' >"$folder/last"
}

# ends WANT REQUESTS: runs the case beside others. WANT: how the first line begins; REQUESTS: how many, or any.
ends() {
  while [ "$(jobs -rp | wc -l)" -ge $at_once ]; do wait -n; done
  one "$1" "$2" >"$folder/verdict" 2>&1 &
}

one() {
  local port server got requests uri
  "$BUILD_DIR/tests/s3/script-server" "$folder" "$folder/log" >"$folder/port" &
  server=$!
  for _ in $(seq 400); do
    [ ! -s "$folder/port" ] || break
    sleep 0.05
  done
  port=$(cat "$folder/port")
  uri="s3://b/?endpoint=http://127.0.0.1:$port&vendor=radosgw&region=us-east-1&attempts=3&stall=${stall:-20s}$more"
  timeout 60 "$BUILD_DIR/tests/s3/upload-call" "$uri" "$call" >"$folder/out" 2>"$folder/err"
  got=$?
  kill "$server"
  wait "$server" 2>/dev/null
  requests=$(grep -c '^[A-Z]* /.* HTTP/1' "$folder/log")
  [ $got = 0 ] || echo "FAIL: $name: exit $got: $(tail -n 5 "$folder/out" "$folder/err")"
  [[ "$(head -n 1 "$folder/out")" == "$1"* ]] || echo "FAIL: $name: '$1' expected, got: $(cat "$folder/out")"
  [ "$2" = any ] || [ "$2" = "$requests" ] || echo "FAIL: $name: $2 requests expected, got $requests"
}

nr=0
for call in "${calls[@]}"; do
  more_requests=$(more_of "$call")
  is_well() { ends "${good[$call]}" $(($1 + more_requests)); }
  # What is known of a change whose answer was lost.
  case $call in part | complete | abort) lost=unknown ;; *) lost="not done" ;; esac

  begin_case "well" "$call"
  well
  is_well 1

  begin_case "throttled" "$call"
  error '503 Slow Down' SlowDown
  well
  is_well 2

  begin_case "throttled, and told for how long" "$call"
  error '503 Slow Down' SlowDown 'Retry-After: 1'
  well
  is_well 2

  begin_case "always throttled" "$call"
  for _ in 1 2 3; do error '503 Slow Down' SlowDown; done
  ends 'ROMA_EUNAVAILABLE not done' 3

  begin_case "200 with an error in it" "$call"
  error '200 OK' InternalError
  well
  is_well 2

  begin_case "slow" "$call"
  well '@slow 5'
  is_well 1

  begin_case "late" "$call"
  well '@delay 1500'
  is_well 1

  begin_case "no answer in time" "$call"
  answer '@delay 30000' 'HTTP/1.1 200 OK' ''
  stall=1s ends "ROMA_ETIMEDOUT $lost" any

  begin_case "cut" "$call"
  answer '@cut 10' 'HTTP/1.1 200 OK' "ETag: \"$five\"" 'Content-Length: AUTO' '' "$(printf '%80s' '')"
  well
  is_well 2

  begin_case "always cut" "$call"
  for _ in 1 2 3; do answer '@cut 10' 'HTTP/1.1 200 OK' "ETag: \"$five\"" 'Content-Length: AUTO' '' "$(printf '%80s' '')"; done
  ends "ROMA_ECLOSED $lost" 3

  begin_case "shorter than its Content-Length" "$call"
  answer '@close' 'HTTP/1.1 200 OK' "ETag: \"$five\"" 'Content-Length: 5000' '' "${body[$call]}"
  well
  is_well 2

  begin_case "dropped" "$call"
  answer '@drop' 'HTTP/1.1 200 OK'
  well
  is_well 2

  begin_case "always dropped" "$call"
  for _ in 1 2 3; do answer '@drop' 'HTTP/1.1 200 OK'; done
  ends "ROMA_ECLOSED $lost" 3

  begin_case "the connection ends behind the answer" "$call"
  well '@close'
  is_well 1

  begin_case "sent elsewhere" "$call"
  answer 'HTTP/1.1 307 Temporary Redirect' 'Location: SELF' 'Content-Length: 0' ''
  well
  is_well 2

  begin_case "sent elsewhere, and on and on" "$call"
  for _ in 1 2 3 4 5 6; do answer 'HTTP/1.1 307 Temporary Redirect' 'Location: SELF' 'Content-Length: 0' ''; done
  ends 'ROMA_ESERVER not done' 4

  begin_case "sent nowhere" "$call"
  answer 'HTTP/1.1 307 Temporary Redirect' 'Content-Length: 0' ''
  ends 'ROMA_ESERVER not done' 1

  begin_case "another region" "$call"
  answer 'HTTP/1.1 301 Moved Permanently' 'x-amz-bucket-region: eu-west-9' 'Content-Length: 0' ''
  well
  is_well 2

  begin_case "no HTTP" "$call"
  answer 'SSH-2.0-OpenSSH_9.2' ''
  for _ in 1 2 3; do answer 'SSH-2.0-OpenSSH_9.2' ''; done
  ends ROMA_EPROTOCOL any

  begin_case "denied" "$call"
  error '403 Forbidden' AccessDenied
  ends 'ROMA_EACCES not done' 1

  begin_case "denied before the body is read" "$call"
  answer '@early' '@close' 'HTTP/1.1 403 Forbidden' 'Content-Length: 0' ''
  ends 'ROMA_EACCES not done' any

  begin_case "the upload is not there" "$call"
  gone
  [ "$call" != complete ] || error '404 Not Found' NoSuchKey
  ends 'ROMA_ENOENT not done' $((1 + more_requests))

  begin_case "XML without an end, or none" "$call"
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<x><y'
  case $call in
  complete)
    answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "${body[parts]}"
    ends 'ROMA_EPROTOCOL unknown' 2
    ;;
  abort) ends 'ROMA_OK' 1 ;;
  *) ends 'ROMA_EPROTOCOL' 1 ;;
  esac
done

begin_case "the server has another MD5" part
answer 'HTTP/1.1 200 OK' 'ETag: "00000000000000000000000000000000"' 'Content-Length: 0' ''
more='&checksum=md5'
ends 'ROMA_ECORRUPT' 1

begin_case "what came was damaged on the way" part
error '400 Bad Request' BadDigest
well
ends "${good[part]}" 2

begin_case "always damaged on the way" part
for _ in 1 2 3; do error '400 Bad Request' BadDigest; done
ends 'ROMA_ECORRUPT not done' 3

begin_case "no ETag" part
answer 'HTTP/1.1 200 OK' 'Content-Length: 0' ''
ends 'ROMA_EPROTOCOL' 1

begin_case "the object is another" complete
answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' \
  '<CompleteMultipartUploadResult><ETag>"00000000000000000000000000000000-1"</ETag></CompleteMultipartUploadResult>'
ends 'ROMA_ECORRUPT unknown' 1

for status in '500 Internal Server Error' '200 OK'; do
  begin_case "done by the first of two, which failed with $status" complete
  error "$status" InternalError
  gone
  object "$whole"
  ends "${good[complete]}" 3

  begin_case "ended by somebody else while the first of two failed with $status" complete
  error "$status" InternalError
  gone
  object "$five"
  ends 'ROMA_ENOENT unknown' 3
done

begin_case "done by the first of two, whose answer was lost" complete
answer '@drop' 'HTTP/1.1 200 OK'
gone
object "$whole"
ends "${good[complete]}" 3

# The complete before this one was killed when the server had done it, or had not.
for status in '503 Slow Down:4' '403 Forbidden:2'; do
  begin_case "nobody says whether it is done: ${status%%:*}" complete
  gone
  for _ in 1 2 3; do answer "HTTP/1.1 ${status%%:*}" 'Content-Length: 0' ''; done
  ends 'ROMA_ENOENT unknown' "${status#*:}"
done

begin_case "nobody says in time whether it is done" complete
gone
answer '@delay 30000' 'HTTP/1.1 200 OK' ''
stall=1s ends 'ROMA_ETIMEDOUT unknown' any

begin_case "a part that is not there" complete
error '400 Bad Request' InvalidPart
ends 'ROMA_EPRECONDITION not done' 1

begin_case "done by the first of two, whose answer was lost" abort
answer '@drop' 'HTTP/1.1 200 OK'
gone
ends "${good[abort]}" 2

# Longer than a request may be silent: whether the server is alive is asked beside it.
for call in complete abort; do
  begin_case "the server works on it for long" "$call"
  answer '@delay 4000' 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' "${body[$call]}"
  printf '%s\n' 'HTTP/1.1 200 OK' "ETag: \"$whole\"" 'Content-Length: AUTO' '' "${body[parts]}" >"$folder/last"
  stall=1s ends "${good[$call]}" any

  begin_case "the upload goes, and no answer comes" "$call"
  answer '@delay 30000' 'HTTP/1.1 200 OK' ''
  printf '%s\n' 'HTTP/1.1 404 Not Found' 'Content-Length: AUTO' '' '<Error><Code>NoSuchUpload</Code></Error>' >"$folder/last"
  stall=1s ends 'ROMA_ETIMEDOUT unknown' any
done

wait
cat "$work"/*/verdict
if grep -rqE 'romasecretofthetest|romatokenofthetest|Signature=' "$work"/*/out "$work"/*/err; then
  echo "FAIL: a secret was shown"
fi | tee "$work/shown"
[ ! -s "$work/shown" ] && [ -z "$(cat "$work"/*/verdict)" ] || exit 1
echo "$nr faults of ${#calls[@]} calls"
