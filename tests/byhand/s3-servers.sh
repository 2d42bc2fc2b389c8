#!/bin/bash
# Other S3 servers than radosgw, by hand: tests/byhand/s3-servers.sh [BUILD_FOLDER] [SERVER...]
# SERVER is minio, versitygw or weed (all three): one that is not installed is skipped with a line that says so (tests/cluster/s3
# says where it is looked for), and skips are no failure. ROMA_S3_ENDPOINT in the environment, with AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY, is a server that is there already, and then the only one. Each is met as vendor=generic, as which an
# unknown server is taken, and as vendor=minio, with checksums in headers and conditions decided by the server; VENDORS="..."
# chooses others. CHECKS="..." runs only these: contract loops uploads presign sync objects keys headers copies conditions sums damage.
# Logs of what failed stay in LOGS (default: a new folder of $TMPDIR). What came of it is in doc/s3.md.
# shellcheck disable=SC2317 # checks are called by their names
set -u -o pipefail
src=$(cd "$(dirname "$0")/../.." && pwd -P)
build=$(readlink -f "${1:-$src/_build-asan}")
[ $# = 0 ] || shift
export SRC_DIR=$src BUILD_DIR=$build ROMA=$build/roma ROMA_MODULE_DIR=${ROMA_MODULE_DIR:-$build/.libs} LC_ALL=C.UTF-8
work=$(mktemp -d)
LOGS=$(readlink -f "${LOGS:-$(mktemp -d)}")
mkdir -p "$LOGS" || exit 1
server='' status=0
finish() {
  [ -z "$server" ] || "$src/tests/cluster/s3" down --dir "$work/server"
  rm -rf --one-file-system "$work"
  rmdir "$LOGS" 2>/dev/null || echo "logs of what failed: $LOGS"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
unset AWS_SESSION_TOKEN AWS_PROFILE AWS_CA_BUNDLE AWS_REGION AWS_ENDPOINT_URL http_proxy HTTP_PROXY ROMA_MFS_NS
touch "$work/none"
export AWS_CONFIG_FILE=$work/none AWS_SHARED_CREDENTIALS_FILE=$work/none
# shellcheck source=tests/functions.sh
. "$src/tests/functions.sh"
# Not in a namespace, and in subshells too.
roma() { "$ROMA" "$@"; }

# ------------------------------------------------------------------------------------------------------- the checks
# Each runs in a shell and a folder of its own, with a place $bucket in a bucket of its own; fail ends it.

contract() { "$build/tests/contract/contract" "$bucket/a b$query" ${known:+--except "$known"}; }
loops() {
  local loop
  for loop in ev fd; do "$build/tests/contract/contract" "$bucket$query" --loop "$loop" --only async || return 1; done
}
# Those of the gateway that is always there, with another server in its place; each makes a bucket of its own.
uploads() { "$src/tests/ceph/s3-uploads.sh"; }
presign() { DIALECTS=aws4 "$src/tests/ceph/s3-presign.sh"; }
sync() { "$src/tests/ceph/s3-sync.sh"; }

# same FILE KEY [OPTION]: cat and get give these bytes.
same() {
  roma cat "$bucket/$2$query${3:-}" | cmp - "$1" || fail "cat of $2 gives other bytes"
  rm -f got
  roma get "$bucket/$2$query${3:-}" "$PWD/got" || fail "get of $2"
  cmp got "$1" || fail "get of $2 gives other bytes"
}

objects() {
  local size
  random_file data 73400321
  for size in 0 1 4096 5242879 5242881 8388609 16777216 16777217 73400320 73400321; do
    head -c "$size" data >part
    touch -d '2020-02-03 04:05:06.789 UTC' part
    roma put --keep-times "$PWD/part" "$bucket/sizes/$size.txt$query" || fail "put of $size bytes"
    same part "sizes/$size.txt"
    roma stat --json "$bucket/sizes/$size.txt$query" >shown || fail "stat"
    grep -q "\"length\": *${size}[,}]" shown || fail "the length of $size: $(cat shown)"
    grep -q '"mtime_ns": *1580702706789000000' shown || fail "the time of $size was not kept: $(cat shown)"
    roma put - "$bucket/pipe$query&part=5M" <part || fail "put of $size bytes from a pipe"
    same part pipe
    [ "$(roma hash -a sha256 "$bucket/pipe$query" | cut -d' ' -f1)" = "$(sha256sum <part | cut -d' ' -f1)" ] || fail "hash"
  done
  for size in 0 1 5242879 8388600 73400320; do
    roma cat --offset "$size" --length 20 "$bucket/pipe$query" | cmp - <(tail -c +$((size + 1)) data | head -c 20) || fail "a range at $size"
  done
  [ "$(roma ls -r "$bucket/sizes/$query" | wc -l)" = 10 ] || fail "the list: $(roma ls -r "$bucket/sizes/$query")"
  roma put --verify "$PWD/data" "$bucket/verified$query" || fail "put --verify"
}

# A key is either kept as it is, or refused by the server and not there. How many are refused is told.
keys() {
  local key kept=0 names=() refused=() all=()
  all=(' leading space' 'trailing space ' 'two  spaces' 'plus+sign' 'a+b c' 'per%25cent' '%25zz' '%252F' 'a%252Fb' 'inner//slash'
    '%2Fleading' './dot' '../dots' 'in/./side' 'in/../side' '.hidden' '...' 'dot/.' 'dots/..' "quo'te" 'dou"ble' 'back\slash' "\`tick\`"
    'hash%23mark' 'quest%3Fion' 'and&amp;=x' '=' 'a=b&c=d;e' '~*()!$,@:;' '[]{}|^<>' '*' '-dash' '@at' 'file:' 'Case' 'case'
    $'e\u0301' $'\u00e9' $'\u65e5\u672c\u8a9e' $'\U1f600/\U1d4b3' $'\u05e9\u05dc\u200f' $'\ufeffmark' $'line\u2028end'
    $'no\u00a0break' $'\ufffd' $'\U10fffd' $'tab\there' 'slash%2F' "$(printf 'k%.0s' {1..255})" "$(printf 'k%.0s' {1..1024})"
    "$(printf 'deep/%.0s' {1..200})last")
  for key in "${all[@]}"; do
    if [ "$label $key" = 'weed slash%2F' ]; then
      echo "NOTE not tried: SeaweedFS 4.48 takes the bytes of a key that ends in a slash, and keeps none"
      continue
    fi
    printf %s "$key" >small
    if roma put "$PWD/small" "$bucket/$key$query" 2>errors; then
      kept=$((kept + 1))
      names+=("$key")
    else
      refused+=("${key:0:20}")
      roma cat "$bucket/$key$query" 2>/dev/null | grep -q . && fail "put of $key was refused, and it is there: $(cat errors)"
    fi
  done
  # All are put before any is read: no key may have replaced another.
  for key in "${names[@]}"; do
    printf %s "$key" >small
    same small "$key"
  done
  for key in "${names[@]}"; do
    key=${key//%2F/\/} key=${key//%23/#} key=${key//%3F/?} key=${key//%25/%}
    printf '%s\n' "$key"
  done | sort >want
  roma ls -r "$bucket/$query" | sort >listed || fail "ls"
  diff want listed || fail "other names are listed"
  for key in "${names[@]}"; do roma rm "$bucket/$key$query" || fail "rm of $key"; done
  [ -z "$(roma ls -r "$bucket/$query")" ] || fail "rm left something"
  [ ${#refused[@]} = 0 ] || printf 'NOTE %s keys of %s are refused:%s\n' "${#refused[@]}" "${#all[@]}" "$(printf ' %q' "${refused[@]}")"
}

headers=(--content-type 'text/x-odd; charset=utf-8' --cache-control 'max-age=60, public' --disposition 'attachment; filename="a b.txt"'
  --header 'Content-Language: de' --meta 'Colour=dark blue' --meta "many=$(printf 'x%.0s' {1..1500})")
# described KEY: it has all of them
described() {
  local field
  roma stat --json "$bucket/$1$query" >shown || fail "stat of $1"
  for field in '"content-type": *"text/x-odd; charset=utf-8"' '"cache-control": *"max-age=60, public"' \
    '"content-disposition": *"attachment; filename=\\"a b.txt\\""' '"content-language": *"de"' '"colour": *"dark blue"' '"many": *"x\{1500\}"'; do
    grep -q -- "$field" shown || fail "$1: no $field in $(cat shown)"
  done
}
headers() {
  local id
  echo words >words
  random_file long 20000000
  roma put "${headers[@]}" "$PWD/words" "$bucket/words$query" || fail "put"
  described words
  roma put "${headers[@]}" "$PWD/long" "$bucket/long$query" || fail "put in parts"
  described long
  roma put --resume "${headers[@]}" "$PWD/long" "$bucket/resumed$query" || fail "put --resume"
  described resumed
  id=$(roma upload begin "${headers[@]}" "$bucket/steps$query") || fail "upload begin"
  roma upload part --upload-id "$id" --part 1 "$PWD/words" "$bucket/steps$query" >/dev/null || fail "upload part"
  roma upload complete --upload-id "$id" "$bucket/steps$query" || fail "upload complete"
  described steps
  same words steps
  roma put "$PWD/words" "$bucket/words$query" || fail "put again"
  roma stat "$bucket/words$query" >shown
  ! grep -q 'metadata:\|cache-control' shown || fail "something of the old one stayed: $(cat shown)"
}

copies() {
  local to first=$bucket second=${bucket%/at}-2/at
  echo words >words
  random_file long 20000000
  roma put "${headers[@]}" "$PWD/words" "$bucket/short$query" || fail "put"
  roma put "${headers[@]}" --keep-times "$PWD/long" "$bucket/long$query" || fail "put"
  roma mb "${second%/at}$query" || fail "mb"
  for to in "$first" "$second"; do
    roma cp "$first/short$query" "$to/copy-short$query" || fail "cp to $to"
    roma cp "$first/long$query" "$to/copy-long$query" || fail "cp to $to"
    roma cp "$first/long$query&copy=6M&part=5M" "$to/parts$query&copy=6M&part=5M" || fail "cp in parts to $to"
    bucket=$to
    same words copy-short
    same long copy-long
    same long parts
    described copy-short
    described copy-long
    described parts
  done
  bucket=$first
  roma cp --trace "$PWD/trace" "$bucket/long$query" "$bucket/traced$query" || fail "cp --trace"
  grep -q CopyObject trace || fail "the server did not make the copy"
  ! grep -q GetObject trace || fail "bytes were read"
  roma cp --meta colour=red "$bucket/short$query" "$bucket/short$query" || fail "cp to itself"
  roma stat --json "$bucket/short$query" >shown
  grep -q '"colour": *"red"' shown || fail "cp to itself with other metadata: $(cat shown)"
  same words short
  roma cp "$bucket/long$query" "$bucket/carried${query/127.0.0.1/localhost}" || fail "cp carried over"
  same long carried
  described carried
  roma mv "$bucket/traced$query" "$second/moved$query" || fail "mv"
  roma stat "$bucket/traced$query" 2>/dev/null && fail "mv left the source"
  bucket=$second
  same long moved
  roma rm -r "$second$query" || fail "rm -r"
  roma rb "${second%/at}$query" || fail "the second bucket stays"
}

etag_of() { roma stat --json "$bucket/$1$query" | sed 's/.*"etag": *"\([^"]*\)".*/\1/'; }

# exits CODE COMMAND...
exits() {
  local want=$1 got=0
  shift
  "$@" 2>errors || got=$?
  [ "$got" = "$want" ] || fail "$*: exit $got, expected $want: $(cat errors)"
}

# replaced KEY FILE...: of many that replace one version at once exactly one does, and it is the one that says so.
replaced() {
  local key=$1 was i won=0 which
  shift
  was=$(etag_of "$key")
  for i in "$@"; do
    { roma put "--if-match=$was" "$PWD/$i" "$bucket/$key$query" 2>"$i.err"; echo $? >"$i.rc"; } &
  done
  wait
  for i in "$@"; do [ "$(cat "$i.rc")" != 0 ] || won=$((won + 1)) which=$i; done
  [ "$won" = 1 ] || fail "of $# that replaced one version of $key $won succeeded: $(cat ./*.err)"
  same "$which" "$key"
}

# made KEY FILE...: the same of a name that is free.
made() {
  local key=$1 i won=0 which
  shift
  for i in "$@"; do
    { roma put --if-absent "$PWD/$i" "$bucket/$key$query" 2>"$i.err"; echo $? >"$i.rc"; } &
  done
  wait
  for i in "$@"; do [ "$(cat "$i.rc")" != 0 ] || won=$((won + 1)) which=$i; done
  [ "$won" = 1 ] || fail "of $# that made $key $won succeeded: $(cat ./*.err)"
  same "$which" "$key"
}

conditions() {
  local i short=() long=()
  echo first >first
  random_file big 20000000
  for i in 1 2 3 4 5 6; do
    echo "version $i" >"short$i"
    short+=("short$i")
  done
  for i in 1 2 3; do
    { echo "version $i" && cat big; } >"long$i"
    long+=("long$i")
  done
  roma put "$PWD/first" "$bucket/one$query" || fail "put"
  exits 0 roma cat "--if-match=$(etag_of one)" "$bucket/one$query"
  exits 9 roma cat --if-match=0123456789abcdef0123456789abcdef "$bucket/one$query"
  exits 9 roma cat "--if-none-match=$(etag_of one)" "$bucket/one$query"
  if [ "$vendor" = generic ]; then
    exits 2 roma put "--if-match=$(etag_of one)" "$PWD/big" "$bucket/one$query"
    same first one
    return
  fi
  exits 9 roma put --if-match=0123456789abcdef0123456789abcdef "$PWD/big" "$bucket/one$query"
  exits 9 roma put --if-match=0123456789abcdef0123456789abcdef "$PWD/first" "$bucket/none$query"
  exits 9 roma put --if-absent "$PWD/big" "$bucket/one$query"
  same first one
  replaced one "${short[@]}"
  replaced one "${long[@]}"
  made two "${short[@]}"
  made three "${long[@]}"
  roma rm "$bucket/three$query"
  i=$(roma upload begin "$bucket/three$query") || fail "upload begin"
  roma upload part --upload-id "$i" --part 1 "$PWD/first" "$bucket/three$query" >/dev/null || fail "upload part"
  exits 9 roma upload complete --if-match=0123456789abcdef0123456789abcdef --upload-id "$i" "$bucket/three$query"
  roma put "$PWD/short1" "$bucket/three$query" || fail "put"
  exits 0 roma upload complete "--if-match=$(etag_of three)" --upload-id "$i" "$bucket/three$query"
  same first three
}

# Each checksum, in one request and in parts; read again, which compares what the server says.
sums() {
  local sum
  random_file data 12000000
  head -c 1000 data >short
  for sum in auto none signed md5 crc32 crc32c crc64nvme; do
    roma put "$PWD/short" "$bucket/$sum-short$query&checksum=$sum" || fail "put with $sum"
    roma put "$PWD/data" "$bucket/$sum-long$query&checksum=$sum&part=5M" || fail "put with $sum in parts"
    roma put - "$bucket/$sum-pipe$query&checksum=$sum&part=5M" <data || fail "put from a pipe with $sum in parts"
    same short "$sum-short" "&checksum=$sum"
    same data "$sum-long" "&checksum=$sum"
    same data "$sum-pipe"
  done
}

# A byte that is changed in the server's own file: a whole read finds it, by the checksum or the MD5.
damage() {
  local sum file
  [ "$server" = versitygw ] || skip "its objects are no files of their own"
  random_file data 12000000
  for sum in auto crc32c crc64nvme; do
    [ "$vendor $sum" != "generic auto" ] || continue # an unknown server's ETag is not known to be an MD5
    roma put "$PWD/data" "$bucket/$sum$query&checksum=$sum&part=5M" || fail "put with $sum"
    file=$work/server/data/${bucket#s3://}/$sum
    printf X | dd of="$file" bs=1 seek=6000000 conv=notrunc status=none
    cmp -s "$file" data && printf Y | dd of="$file" bs=1 seek=6000000 conv=notrunc status=none
    roma get "$bucket/$sum$query&checksum=$sum" "$PWD/got-$sum" 2>errors && fail "get with $sum does not see a changed byte"
    [ ! -e "got-$sum" ] || fail "get with $sum has stored it"
    cat errors
  done
}

# -------------------------------------------------------------------------------------------------------- the runs

# check NAME: one line for it; 0, 77 for a skip, or failed.
check() {
  local log=$LOGS/$label-$vendor-$1.log got=0 bucket
  bucket=s3://$1-$vendor-$$/at
  mkdir "$work/$1"
  (
    cd "$work/$1" && export SCRATCH=$work/$1 TMPDIR=$work/$1 || exit 1
    case $1 in contract | loops | objects | keys | headers | copies | conditions | sums | damage) roma mb "${bucket%/at}$query" || exit 1 ;; esac
    "$1"
  ) >"$log" 2>&1 || got=$?
  case $got in
  0) printf 'ok   %s, %s: %s%s\n' "$label" "$vendor" "$1" "$(notes "$log")" && rm "$log" ;;
  77) printf 'SKIP %s, %s: %s: %s\n' "$label" "$vendor" "$1" "$(tail -n 1 "$log")" && rm "$log" ;;
  *)
    status=1
    printf 'FAIL %s, %s: %s (exit %s)\n' "$label" "$vendor" "$1" "$got"
    grep -E '^(FAIL|NOTE)' "$log" | cut -c 1-400 | head -n "${SHOWN:-20}" | sed 's/^/       /'
    ;;
  esac
  roma rm -r "$bucket$query" 2>/dev/null
  roma rb "${bucket%/at}$query" 2>/dev/null
  rm -rf --one-file-system "${work:?}/$1"
}

# What a log has to tell besides.
notes() {
  grep '^NOTE' "$1" | sed 's/^NOTE/;/' | tr -d '\n'
  sed -n 's/^\([0-9]* passed.*\|[0-9]* ok.*\)/; \1/p' "$1" | tr -d '\n'
}

# meet LABEL: all checks on the server of the environment
meet() {
  label=$1
  echo "     $label is ${ROMA_S3_SERVER:-$ROMA_S3_ENDPOINT}"
  for vendor in ${VENDORS:-generic minio}; do
    query="?endpoint=$ROMA_S3_ENDPOINT&vendor=$vendor&region=us-east-1"
    export ROMA_CEPH_S3=$ROMA_S3_ENDPOINT ROMA_CEPH_S3_ACCESS=$AWS_ACCESS_KEY_ID ROMA_CEPH_S3_SECRET=$AWS_SECRET_ACCESS_KEY \
      ROMA_S3_VENDOR=$vendor
    for name in ${CHECKS:-contract loops uploads presign sync objects keys headers copies conditions sums damage}; do check "$name"; done
  done
}

[ -x "$ROMA" ] || fail "$ROMA is not built"
requires curl
if [ -n "${ROMA_S3_ENDPOINT:-}" ]; then
  export ROMA_S3_ENDPOINT AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
  meet endpoint
  exit $status
fi
[ $# != 0 ] || set -- minio versitygw weed
for server in "$@"; do
  "$src/tests/cluster/s3" up --dir "$work/server" --server "$server" 2>"$work/why"
  case $? in
  0) ;;
  77)
    echo "SKIP $(tail -n 1 "$work/why")"
    continue
    ;;
  *)
    echo "FAIL $server: $(cat "$work/why")"
    status=1
    continue
    ;;
  esac
  eval "$("$src/tests/cluster/s3" env --dir "$work/server")"
  meet "$server"
  "$src/tests/cluster/s3" down --dir "$work/server"
done
server=
exit $status
