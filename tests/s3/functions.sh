# For scripts that let roma meet a scripted server: each case is a script of answers, one run of roma, and what is to be
# true of it. To be read in with `set -u`; at the end comes `finish`.
# shellcheck shell=bash
if [ ! -e "$BUILD_DIR/.libs/s3compat.so" ] || [ ! -x "$BUILD_DIR/tests/s3/script-server" ]; then
  echo "the module for S3 was not built"
  exit 77
fi
[ -e "$BUILD_DIR/roma" ] || {
  echo "the program was not built (--disable-tools)"
  exit 77
}
work=$(mktemp -d)
server=
trap 'stop; rm -rf "$work"' EXIT
status=0 nr=0
export AWS_ACCESS_KEY_ID=ROMAIDOFTHETEST AWS_SECRET_ACCESS_KEY=romasecretofthetest AWS_SESSION_TOKEN=romatokenofthetest
export OSS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID OSS_ACCESS_KEY_SECRET=$AWS_SECRET_ACCESS_KEY
export OBS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID OBS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY
export AWS_SHARED_CREDENTIALS_FILE=$work/none AWS_CONFIG_FILE=$work/none ROMA_CONFIG="$work/conf"
: >"$work/conf"
unset http_proxy HTTP_PROXY AWS_PROFILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_REGION AWS_DEFAULT_REGION AWS_CA_BUNDLE

stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null
  server=
}

# begin NAME: a new script
begin() {
  stop
  name=$1
  nr=$((nr + 1))
  folder=$work/$nr
  mkdir "$folder"
  answers=0
  printf 'HTTP/1.1 500 Internal Server Error\nContent-Length: 0\n\n' >"$folder/last"
}

# answer TEXT...: the next one, a line for each argument; a last argument after '' is the body
answer() {
  answers=$((answers + 1))
  printf '%s\n' "$@" >"$folder/$(printf %02d $answers)"
}

# go EXIT ARGUMENT...: runs roma, or $program, against the script; roma.conf is what $conf says, if that is set
go() {
  local want=$1 got port
  shift
  "$BUILD_DIR/tests/s3/script-server" "$folder" "$work/log" >"$folder/port" &
  server=$!
  for _ in $(seq 100); do
    [ ! -s "$folder/port" ] || break
    sleep 0.05
  done
  port=$(cat "$folder/port")
  query="?endpoint=http://127.0.0.1:$port&vendor=${vendor:-radosgw}&region=us-east-1${more:-}"
  [ -z "${conf:-}" ] || printf '%s\n' "${conf//QUERY/"$query"}" >"$work/conf"
  args=()
  for a in "$@"; do args+=("${a//QUERY/"$query"}"); done
  timeout 60 "$BUILD_DIR/${program:-roma}" "${args[@]}" >"$folder/out" 2>"$folder/err"
  got=$?
  requests=$(grep -c '^[A-Z]* /.* HTTP/1' "$work/log")
  mv "$work/log" "$folder/log"
  if [ $got != "$want" ]; then
    fail "exit $want expected, got $got: $(cat "$folder/err")"
  fi
}

fail() {
  echo "FAIL: $name: $*"
  status=1
}

says() { grep -qF -- "$1" "$folder/err" || fail "\"$1\" expected in: $(cat "$folder/err")"; }
asked() { [ "$requests" = "$1" ] || fail "$1 requests expected, got $requests"; }

# shellcheck disable=SC2034 # for the cases
head5=('HTTP/1.1 200 OK' 'Content-Length: 5' 'ETag: "5d41402abc4b2a76b9719d911017c592"' 'Last-Modified: Fri, 24 May 2013 00:00:00 GMT' '')
# shellcheck disable=SC2034
ranged=('HTTP/1.1 206 Partial Content' 'Content-Range: bytes 0-4/5' 'ETag: "5d41402abc4b2a76b9719d911017c592"')
error() { # STATUS CODE
  local body="<?xml version=\"1.0\"?><Error><Code>$2</Code><Message>told so</Message><RequestId>REQ77</RequestId></Error>"
  answer "HTTP/1.1 $1" 'Content-Length: AUTO' 'Content-Type: application/xml' '' "$body"
}
# What roma asks before it puts something or lists: the name is free; the bucket is there.
free_name() {
  answer 'HTTP/1.1 404 Not Found' 'Content-Length: 0' ''
  answer 'HTTP/1.1 200 OK' 'Content-Length: AUTO' '' '<ListBucketResult></ListBucketResult>'
}
bucket() { answer 'HTTP/1.1 200 OK' 'Content-Length: 0' ''; }
head_of() { head -c "$1" /dev/zero | tr '\0' a >"$work/local"; }
printf hello >"$work/five"

# The end: what no case may have done, and how many there were.
finish() {
  # The secret, and whatever would do in its place, is in no answer to the user and in no request.
  if grep -rqE 'romasecretofthetest' "$work"/*/err "$work"/*/out "$work"/*/log; then
    name=secrets fail "the secret key was shown"
  fi
  if grep -qE 'romatokenofthetest|Signature=' "$work"/*/err "$work"/*/out; then
    name=secrets fail "a token or a signature was shown"
  fi
  [ $status = 0 ] && echo "$nr $1"
  exit $status
}
