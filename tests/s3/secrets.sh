#!/bin/bash
# Every command on a store with keys, against servers that answer well, badly, and with what they were sent: no secret is in
# an error, a log line, --json, --timing, a trace or the process list.
set -u
if [ ! -e "$BUILD_DIR/.libs/s3compat.so" ] || [ ! -x "$BUILD_DIR/tests/s3/script-server" ]; then
  echo "the module for S3 was not built"
  exit 77
fi
[ -e "$BUILD_DIR/roma" ] || {
  echo "the program was not built (--disable-tools)"
  exit 77
}
work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
unset http_proxy HTTP_PROXY AWS_PROFILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_REGION AWS_DEFAULT_REGION AWS_CA_BUNDLE
export AWS_SHARED_CREDENTIALS_FILE=$work/nofile AWS_CONFIG_FILE=$work/nofile
secret=romasecretofthetest
token=romatokenofthetest-$(printf '%0400d' 7) # longer than any part of a sentence
at_once=16
fail() {
  echo "FAIL: $*"
  exit 1
}

# What each server says to everything
mkdir well wrong expired denied slow inside elsewhere gone none
echo_error() { printf '%s\n' '@echo' "HTTP/1.1 $1" 'Content-Length: AUTO' '' "<Error><Code>$2</Code><Message>REQUEST</Message></Error>"; }
printf '%s\n' 'HTTP/1.1 200 OK' 'Content-Length: 5' 'ETag: "5d41402abc4b2a76b9719d911017c592"' '' hello >well/last
echo_error '403 Forbidden' SignatureDoesNotMatch >wrong/last
echo_error '400 Bad Request' ExpiredToken >expired/last
printf '%s\n' '@echo' 'HTTP/1.1 403 Forbidden' 'Content-Length: AUTO' "x-amz-request-id: $token" '' \
  "<Error><Code>AccessDenied</Code><Message>$token and $secret</Message><RequestId>$secret</RequestId></Error>" >denied/last
echo_error '503 Slow Down' SlowDown >slow/last
echo_error '200 OK' InternalError >inside/last
printf '%s\n' 'HTTP/1.1 307 Temporary Redirect' 'Location: SELF' 'Content-Length: 0' '' >elsewhere/last
echo_error '404 Not Found' NoSuchKey >gone/last
printf '%s\n' '@drop' 'HTTP/1.1 200 OK' >none/last
kinds=(well wrong expired denied slow inside elsewhere gone none)
for kind in "${kinds[@]}"; do
  "$BUILD_DIR/tests/s3/script-server" "$work/$kind" "$work/$kind/log" >"$kind/port" &
  servers+=($!)
done
for kind in "${kinds[@]}"; do
  for _ in $(seq 200); do
    [ ! -s "$kind/port" ] || break
    sleep 0.05
  done
done

mkdir tree out
echo hello | tee five >tree/file
head -c 30000 /dev/zero >long
printf '%s\n' "$secret" >secret
printf '%s\n' "$token" >token
chmod 600 secret token
n=0
# try KIND ARGUMENT...: in the background; STORE stands for the bucket.
try() {
  local kind=$1 a args=()
  shift
  n=$((n + 1))
  while [ "$(jobs -rp | wc -l)" -ge $((at_once + ${#kinds[@]})) ]; do sleep 0.02; done
  for a in "$@"; do
    case $a in STORE*) args+=("s3://b${a#STORE}$query") ;; *) args+=("$a") ;; esac
  done
  {
    timeout 60 "$BUILD_DIR/roma" "${args[0]}" --timing --trace "out/$n.trace" "${args[@]:1}" >"out/$n.out" 2>"out/$n.err" &
    tr '\0' ' ' <"/proc/$!/cmdline" >"out/$n.process" 2>/dev/null
    wait $!
  } &
}
every_command() {
  local kind=$1
  query="?endpoint=http://127.0.0.1:$(cat "$kind/port")&vendor=radosgw&region=us-east-1&attempts=2&part=4096&stall=20s"
  try "$kind" ls --json STORE/
  try "$kind" ls -l -r STORE/
  try "$kind" stat -v STORE/k
  try "$kind" cat STORE/k
  try "$kind" get -v STORE/k "$work/out/got-$kind"
  try "$kind" get --json -r STORE/d "$work/out/tree-$kind"
  try "$kind" put -v five STORE/k
  try "$kind" put --json --verify five STORE/k
  try "$kind" put --if-absent five STORE/k
  try "$kind" put -v long STORE/k
  try "$kind" put -v --resume long STORE/k
  try "$kind" put -r tree STORE/d
  try "$kind" cp --json STORE/k STORE/k2
  try "$kind" mv -v STORE/k STORE/k2
  try "$kind" rm -v STORE/k
  try "$kind" rm -r STORE/d
  try "$kind" mkdir STORE/d
  try "$kind" hash --json STORE/k
  try "$kind" sync --json tree STORE/d
  try "$kind" sync --delete STORE/d tree-of-"$kind"
  try "$kind" gc --dry-run STORE/
  try "$kind" ping STORE/
  try "$kind" mb STORE/
  try "$kind" rb STORE/
  try "$kind" upload begin STORE/k
  try "$kind" upload ls --json STORE/
  try "$kind" upload part --upload-id UP1 --part 1 five STORE/k
  try "$kind" upload parts --json --upload-id UP1 STORE/k
  try "$kind" upload complete --upload-id UP1 STORE/k 1:5d41402abc4b2a76b9719d911017c592
  try "$kind" upload abort --upload-id UP1 STORE/k
}

export AWS_ACCESS_KEY_ID=ROMAIDOFTHETEST AWS_SECRET_ACCESS_KEY=$secret AWS_SESSION_TOKEN=$token
for kind in "${kinds[@]}"; do every_command "$kind"; done
# Links are made of a signature; but what is told beside them is not.
for method in GET PUT DELETE; do
  "$BUILD_DIR/roma" presign --method $method --timing --trace "out/$method.trace" \
    "s3://b/k?endpoint=http://127.0.0.1:1&vendor=radosgw" >link-$method 2>"out/$method.err" || fail "presign: $(cat "out/$method.err")"
  if grep -qF $secret link-$method; then fail "the secret is in a link"; fi
done
# Keys in files, files that are wrong, and a key on the command line, where it does not belong
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
port=$(cat wrong/port)
printf '[a]\nuri = s3://b/?endpoint=http://127.0.0.1:%s\naccess_key = X\nsecret_key = %s\nsession_token = %s\n' "$port" $secret "$token" >a.conf
printf '[a]\nuri = s3://b/?endpoint=http://127.0.0.1:%s\naccess_key = X\nsecret_key = %s\n %s\n' "$port" $secret "$token" >broken.conf
printf '[a]\nuri = s3://b/?endpoint=http://127.0.0.1:%s\naccess_key = X\nsecret_key_file = %s\n' "$port" "$work/secret" >b.conf
printf '[default]\naws_access_key_id = X\naws_secret_access_key = %s\naws_session_token\n%s\n' $secret "$token" >keys
chmod 600 -- *.conf keys
for conf in a broken b; do
  "$BUILD_DIR/roma" stat --config $conf.conf --timing --trace out/$conf.trace a:k >out/$conf.out 2>out/$conf.err && fail "$conf.conf: it is a wrong key"
done
chmod 644 a.conf secret
for conf in a b; do
  "$BUILD_DIR/roma" stat --config $conf.conf a:k >out/open-$conf.out 2>out/open-$conf.err && fail "$conf: others can read the secret"
done
AWS_SHARED_CREDENTIALS_FILE=$work/keys "$BUILD_DIR/roma" stat "s3://b/k?endpoint=http://127.0.0.1:$port" >out/keys.out 2>out/keys.err &&
  fail "keys: a wrong key"
"$BUILD_DIR/roma" stat "s3://b/k?endpoint=http://127.0.0.1:$port&access_key=X&secret_key=$secret" >out/line.out 2>out/line.err &&
  fail "a secret on the command line was taken"
for _ in $(seq 600); do
  [ "$(jobs -rp | wc -l)" -gt ${#kinds[@]} ] || break
  sleep 0.1
done

hex='[0-9a-f]{64}'
if grep -rlE "$secret|romatokenofthetest|[Ss]ignature=($hex|[A-Za-z0-9+/]{27}=)|Authorization" out >shown; then
  while read -r file; do echo "FAIL: a secret is in $file: $(head -c 600 "$file")"; done <shown
  exit 1
fi
[ "$(find out -name '*.process' | wc -l)" = $n ] || fail "not all have run"
[ "$(cat out/*.err | wc -c)" -gt 10000 ] || fail "hardly anything was said"
for kind in wrong expired denied slow inside gone; do grep -qF "romatokenofthetest" $kind/log || fail "$kind: was not asked with the token"; done
echo "$n commands"
