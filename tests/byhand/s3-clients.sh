#!/bin/bash
# What roma puts other S3 clients read, and the other way round, by hand: tests/byhand/s3-clients.sh [BUILD_FOLDER]
# Starts a radosgw of its own in $TMPDIR (the ROMA_S3_ENDPOINT of the environment is taken where there is one). awscli,
# s3cmd, rclone, boto3, @aws-sdk/client-s3 and minio put and get odd keys and all sizes up to 70 MiB: the same MD5, names
# content types, and for one object each more headers and metadata. The two SDKs for node are in $ROMA_NPM, or installed into a temporary folder. A client that is not
# there is skipped visibly; so are keys that a client itself cannot name. CLIENTS="awscli boto3 ..." runs only these,
# ONLY_DESCRIBED=1 only headers and metadata; AWS and
# PYTHON choose among several versions.
# shellcheck disable=SC2317 # the functions of a client are called by their names
set -u -o pipefail
src=$(cd "$(dirname "$0")/../.." && pwd -P)
build=$(readlink -f "${1:-$src/_build-asan}")
here=$src/tests/byhand
export SRC_DIR=$src ROMA=$build/roma ROMA_MODULE_DIR=${ROMA_MODULE_DIR:-$build/.libs}
work=$(mktemp -d)
export LC_ALL=C.UTF-8
mine=no status=0
finish() {
  [ "$mine" = no ] || "$src/tests/cluster/s3" down --dir "$work/ceph"
  rm -rf "$work"
}
trap finish EXIT
if [ -z "${ROMA_S3_ENDPOINT:-}" ]; then
  mine=yes
  "$src/tests/cluster/s3" up --dir "$work/ceph" || exit 1
  eval "$("$src/tests/cluster/s3" env --dir "$work/ceph")" || exit 1
fi
unset AWS_SESSION_TOKEN AWS_PROFILE AWS_REGION AWS_ENDPOINT_URL http_proxy HTTP_PROXY ROMA_MFS_NS
export ROMA_S3_ENDPOINT AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
touch "$work/none"
export NODE_NO_WARNINGS=1 AWS_CONFIG_FILE=$work/none AWS_SHARED_CREDENTIALS_FILE=$work/none RCLONE_CONFIG=$work/none
# shellcheck source=tests/functions.sh
. "$src/tests/functions.sh"
cd "$work" || exit 1
query="?endpoint=$ROMA_S3_ENDPOINT&vendor=radosgw"
aws=${AWS:-aws} python=${PYTHON:-python3}

wrong() {
  printf 'FAIL %s\n' "$*"
  status=1
}

# ------------------------------------------------------------------------------------------------------ the objects
# The table: number, bytes, content type and key of each object, parted by tabs. Its bytes are in data/NUMBER.
count=0
row() {
  count=$((count + 1))
  printf '%s\t%s\t%s\t%s\n' $count "$1" "$2" "$3" >>table
  random_file data/$count "$1"
  SEED=$((SEED + 1))
}

many() {
  local i text=''
  for ((i = 0; i < $2; i++)); do text+=$1; done
  printf %s "$text"
}

objects() {
  local key size
  # shellcheck disable=SC2016 # $dollar is a name
  local -a keys=(' leading space' 'trailing space ' 'two  spaces' 'plus+sign' 'a+b c' 'per%cent' '%' '%zz' '%2F' 'a%2Fb' 'a/b' '%20'
    '%25' '%00' 'inner//slash' 'three///slashes' '/leading/slash' './dot' '../dots' 'in/./side' 'in/../side' '.hidden' '...'
    'dot/.' 'dots/..' "quo'te" 'dou"ble' 'back\slash' "\`tick\`" '$dollar' 'hash#mark' 'quest?ion' '?' '#' 'and&amp;=x' '&' '='
    'a=b&c=d;e' 'x?uploads' 'x?versionId=1' '~*()!$,@:;' '[]{}|^<>' '*' '-dash' '--help' '@at' 'file:' '_under' '__two' 'Case'
    'case' 'e'$'\u0301' $'\u00e9' $'\u65e5\u672c\u8a9e' $'\uff8a\uff9d\uff76\uff78' $'\U1f600/\U1d4b3\U20bb7'
    $'\U1f468\u200d\U1f469\u200d\U1f467' $'\u05e9\u05dc\u200f' $'\ufeffmark' $'line\u2028end' $'no\u00a0break' $'\ufffd' $'\U10fffd')
  SEED=1
  mkdir data
  for key in "${keys[@]}"; do row $((${#key} * 97 % 4001)) application/octet-stream "$key"; done
  row 5 application/octet-stream "$(many k 1024)"
  row 6 application/octet-stream "$(many $'\U1f600' 256)"
  row 7 application/octet-stream "$(many $'\u65e5/' 255)last"
  row 100 text/plain 'types/sp ace+%.txt'
  row 101 image/png $'types/\u00e9.png'
  row 102 application/json 'types/x.JSON'
  for size in 0 1 4096 5242879 8388609 73400320; do row $size application/octet-stream "sizes/$size"; done
}

sums() { (cd "$1" && find . -maxdepth 1 -name '[0-9]*' -printf '%f\n' | sort -n | xargs -r md5sum --); }

# same CLIENT WHAT FOLDER TABLE: the bytes, types and names that were read are those of the table. A client that gave no
# types or names has a word on why.
same() {
  local client=$1 what=$2 got=$3 table=$4 bad=0 name
  cut -f1 "$table" | while read -r name; do (cd data && md5sum -- "$name"); done >want.md5
  sums "$got" >got.md5
  cut -f1,3 "$table" >want.types
  sort -n "$got/types" >got.types
  cut -f4 "$table" | LC_ALL=C sort >want.names
  LC_ALL=C sort "$got/names" >got.names
  for name in md5 types names; do
    cmp -s want.$name got.$name && continue
    bad=1
    wrong "$client $what: other $name (< expected, > got)"
    diff want.$name got.$name | head -n "${SHOWN:-20}"
  done
  if [ -s "$got/errors" ]; then
    bad=1
    wrong "$client $what: $(head -n "${SHOWN:-20}" "$got/errors")"
  fi
  [ $bad = 1 ] || printf 'ok   %s %s: %s objects, the same MD5, names and types\n' "$client" "$what" "$(wc -l <"$table")"
}

# ---------------------------------------------------------------------------------------------------------- roma
# place KEY: as a URI.
place() {
  local key=${2//%/%25}
  printf 's3://%s/%s%s' "$1" "${key//\?/%3F}" "$query"
}

roma_put() { # TABLE BUCKET FOLDER
  local n size type key
  while IFS=$'\t' read -r n size type key; do
    roma put -q "data/$n" "$(place "$2" "$key")" </dev/null 2>err || echo "$key: $(cat err)" >>"$3/errors"
  done <"$1"
}

# The type is shown by no command of roma: it is what the answer to a link made by `roma presign` says, and its body is compared too.
roma_get() {
  local n size type key link
  while IFS=$'\t' read -r n size type key; do
    roma get -q "$(place "$2" "$key")" "$3/$n" </dev/null 2>err || echo "$key: $(cat err)" >>"$3/errors"
    link=$(roma presign "$(place "$2" "$key")" </dev/null) || echo "$key: presign" >>"$3/errors"
    curl -sS --path-as-is -o body -D headers "$link" || echo "$key: curl" >>"$3/errors"
    cmp -s body "data/$n" || echo "$key: other bytes by the link: $(head -n 1 headers)" >>"$3/errors"
    printf '%s\t%s\n' "$n" "$(sed -n 's/^content-type: *\([^\r]*\).*/\1/ip' headers)" >>"$3/types"
  done <"$1"
  roma ls -r "s3://$2/$query" | grep -v ^described/ >"$3/names" || echo "ls" >>"$3/errors"
}

# ------------------------------------------------------------------------------------------------------ the clients
# NAME_there: whether it is installed, and its version. NAME_put and NAME_get TABLE BUCKET FOLDER: all rows; get writes
# FOLDER/NUMBER, FOLDER/types, FOLDER/names, and what failed to FOLDER/errors. NAME_cannot KEY WAY: the reason why the client
# itself cannot name this key.
api() { "$aws" --endpoint-url "$ROMA_S3_ENDPOINT" "$@" </dev/null; }

awscli_there() { "$aws" --version 2>/dev/null | cut -d' ' -f1,2; }
awscli_put() {
  local n size type key
  while IFS=$'\t' read -r n size type key; do
    case $key in
    */) api s3api put-object --bucket "$2" --key="$key" --body "data/$n" --content-type "$type" >out 2>err ;;
    *) api s3 cp --quiet --content-type "$type" "data/$n" "s3://$2/$key" >out 2>err ;;
    esac || echo "$key: $(cat out err)" >>"$3/errors"
  done <"$1"
}
awscli_get() {
  local n size type key
  while IFS=$'\t' read -r n size type key; do
    api s3api get-object --bucket "$2" --key="$key" "$3/$n" >out 2>err || echo "$key: $(cat err)" >>"$3/errors"
    printf '%s\t%s\n' "$n" "$(jq -r .ContentType out)" >>"$3/types"
    [ "$size" -gt 4096 ] || continue
    api s3 cp --quiet "s3://$2/$key" body >out 2>err || echo "$key: s3 cp: $(cat out err)" >>"$3/errors"
    cmp -s body "data/$n" || echo "$key: other bytes by s3 cp" >>"$3/errors"
  done <"$1"
  api s3api list-objects-v2 --bucket "$2" | jq -r '.Contents[].Key' | grep -v ^described/ >"$3/names" || echo "list" >>"$3/errors"
}

s3cmd_() {
  s3cmd --config /dev/null --host "${ROMA_S3_ENDPOINT#http://}" --host-bucket "${ROMA_S3_ENDPOINT#http://}" --no-ssl \
    --access_key "$AWS_ACCESS_KEY_ID" --secret_key "$AWS_SECRET_ACCESS_KEY" --no-progress "$@" </dev/null
}
s3cmd_there() { s3cmd --version 2>/dev/null | sed 's/ version//'; }
s3cmd_put() {
  local n size type key
  while IFS=$'\t' read -r n size type key; do
    s3cmd_ -q put --mime-type "$type" "data/$n" "s3://$2/$key" >out 2>err || echo "$key: $(cat out err)" >>"$3/errors"
  done <"$1"
}
s3cmd_get() {
  local n size type key
  while IFS=$'\t' read -r n size type key; do
    s3cmd_ -q --force get "s3://$2/$key" "$3/$n" >out 2>err || echo "$key: $(cat out err)" >>"$3/errors"
    s3cmd_ info "s3://$2/$key" >out 2>err || echo "$key: $(cat out err)" >>"$3/errors"
    printf '%s\t%s\n' "$n" "$(sed -n 's/^ *MIME type: *//p' out)" >>"$3/types"
  done <"$1"
  # Without what it cannot get.
  s3cmd_ ls -r "s3://$2" | sed "s,^.\{16\} *[0-9]*  s3://$2/,," | grep -vxF -e '?' -e '*' | grep -v ^described/ >"$3/names" || echo "ls" >>"$3/errors"
}

rclone_there() { rclone version 2>/dev/null | sed -n 1p; }
rclone_() {
  env -u AWS_CA_BUNDLE rclone --s3-provider Ceph --s3-endpoint "$ROMA_S3_ENDPOINT" --s3-env-auth --s3-force-path-style --retries 1 --low-level-retries 2 \
    --log-level ERROR "$@" </dev/null
}
rclone_put() {
  local n size type key
  while IFS=$'\t' read -r n size type key; do
    rclone_ --header-upload "Content-Type: $type" copyto "data/$n" ":s3:$2/$key" >out 2>err || echo "$key: $(cat err)" >>"$3/errors"
  done <"$1"
}
rclone_get() {
  local n size type key
  rclone_ lsjson -R --files-only ":s3:$2" >list.json || echo "lsjson" >>"$3/errors"
  # What it cannot name it lists by other names: with wide dots, or a slash more than before.
  jq -r '.[].Path' list.json | grep -vE '(^|/)(．|．．|)(/|$)' | grep -v ^described/ >"$3/names"
  jq -r '.[] | "\(.MimeType)\t\(.Path)"' list.json >found
  while IFS=$'\t' read -r n size type key; do
    rclone_ copyto ":s3:$2/$key" "$3/$n" >out 2>err || echo "$key: $(cat err)" >>"$3/errors"
    printf '%s\t%s\n' "$n" "$(awk -F'\t' -v key="${key//\\/\\\\}" '$2 == key { print $1 }' found)" >>"$3/types"
  done <"$1"
}

boto3_there() { "$python" -c 'import boto3, botocore; print("boto3 " + boto3.__version__ + ", botocore " + botocore.__version__)' 2>/dev/null; }
boto3_put() { "$python" "$here/s3-clients.py" put "$@"; }
boto3_get() { "$python" "$here/s3-clients.py" get "$@"; }

node_version() { (cd "$npm" 2>/dev/null && node -p "'$1 ' + JSON.parse(require('fs').readFileSync('node_modules/$1/package.json')).version" 2>/dev/null); }
awssdk_there() { node_version @aws-sdk/client-s3; }
awssdk_put() { node "$here/s3-clients.mjs" "$npm" aws put "$@"; }
awssdk_get() { node "$here/s3-clients.mjs" "$npm" aws get "$@"; }
minio_there() { node_version minio; }
minio_put() { node "$here/s3-clients.mjs" "$npm" minio put "$@"; }
minio_get() { node "$here/s3-clients.mjs" "$npm" minio get "$@"; }

# --------------------------------------------------------------------------------------------- headers and metadata
# NAME_put_described BUCKET KEY: data/1 with $type, $cache and the metadata colour and note. NAME_described BUCKET KEY: prints
# them in this order.
type='text/x-roma; charset=utf-8' cache='max-age=60, no-transform' colour=blue note='a b+c%20 = "d"; e,f/g\h'
described=$(printf '%s\n' "$type" "$cache" "$colour" "$note")

roma_put_described() {
  roma put -q --content-type "$type" --cache-control "$cache" --meta "colour=$colour" --meta "note=$note" "data/${3:-1}" "$(place "$1" "$2")"
}
roma_described() {
  roma stat --json "$(place "$1" "$2")" | jq -r '.headers["content-type"], .headers["cache-control"], .metadata.colour, .metadata.note'
}
awscli_put_described() {
  api s3api put-object --bucket "$1" --key "$2" --body data/1 --content-type "$type" --cache-control "$cache" \
    --metadata "$(jq -n --arg c "$colour" --arg n "$note" '{colour: $c, note: $n}')" >out
}
awscli_described() { api s3api head-object --bucket "$1" --key "$2" | jq -r '.ContentType, .CacheControl, .Metadata.colour, .Metadata.note'; }
s3cmd_put_described() {
  s3cmd_ -q put --mime-type "$type" --add-header "Cache-Control: $cache" --add-header "x-amz-meta-colour: $colour" \
    --add-header "x-amz-meta-note: $note" data/1 "s3://$1/$2"
}
s3cmd_described() {
  local field
  s3cmd_ info "s3://$1/$2" >out || return
  # It shows no Cache-Control.
  for field in 'MIME type' none 'x-amz-meta-colour' 'x-amz-meta-note'; do
    if [ "$field" = none ]; then echo "$cache"; else sed -n "s/^ *$field: *//p" out; fi
  done
}
rclone_put_described() {
  rclone_ --metadata --metadata-set "content-type=$type" --metadata-set "cache-control=$cache" --metadata-set "colour=$colour" \
    --metadata-set "note=$note" copyto data/1 ":s3:$1/$2"
}
rclone_described() {
  rclone_ lsjson --metadata --stat ":s3:$1/$2" | jq -r '.Metadata | .["content-type"], .["cache-control"], .colour, .note'
}
boto3_put_described() { "$python" "$here/s3-clients.py" put-described "$1" "$2" "$type" "$cache" "$colour" "$note"; }
boto3_described() { "$python" "$here/s3-clients.py" described "$1" "$2"; }
awssdk_put_described() { node "$here/s3-clients.mjs" "$npm" aws put-described "$1" "$2" "$type" "$cache" "$colour" "$note"; }
awssdk_described() { node "$here/s3-clients.mjs" "$npm" aws described "$1" "$2"; }
minio_put_described() { node "$here/s3-clients.mjs" "$npm" minio put-described "$1" "$2" "$type" "$cache" "$colour" "$note"; }
minio_described() { node "$here/s3-clients.mjs" "$npm" minio described "$1" "$2"; }

# as_described CLIENT WHAT KEY: what the client says of it is what was given.
as_described() {
  local got
  got=$("$1_described" from-roma "$3" 2>err) || wrong "$1 $2: $(cat err)"
  [ "$got" = "$described" ] || wrong "$1 $2: '$got', expected '$described'"
}

describe() {
  local before=$status
  as_described "$1" "reads the headers and metadata of what roma put" described/roma
  as_described "$1" "reads those of an object of many parts" described/long
  if "$1_put_described" from-roma "described/$1" 2>err; then
    as_described roma "reads the headers and metadata of what $1 put" "described/$1"
    roma cat "$(place from-roma "described/$1")" | cmp - data/1 || wrong "$1: other bytes"
  else
    wrong "$1: put with headers and metadata: $(cat err)"
  fi
  [ $status != "$before" ] || echo "ok   $1 and roma read each other's headers and metadata"
}

# cannot CLIENT WAY KEY: prints the reason when the client itself, not the store, cannot name this key.
cannot() {
  case "$1 $2 /$3/" in
  rclone*//* | rclone*/./* | rclone*/../*) echo "it takes keys for paths and cleans them" ;;
  's3cmd get /?/' | 's3cmd get /*/') echo "it takes this for a pattern" ;;
  *) return 1 ;;
  esac
}

# able CLIENT WAY: writes the rows of the table that it can name to `rows`, and one line for those that it cannot.
able() {
  local n size type key why
  true >rows
  while IFS=$'\t' read -r n size type key; do
    if why=$(cannot "$1" "$2" "$key"); then
      printf 'SKIP %s cannot %s %q: %s\n' "$1" "$2" "$key" "$why"
    else
      printf '%s\t%s\t%s\t%s\n' "$n" "$size" "$type" "$key" >>rows
    fi
  done <table
}

reads() {
  able "$1" get
  mkdir "$1"
  touch "$1/types" "$1/names"
  "$1_get" rows from-roma "$1"
  same "$1" "reads what roma put" "$1" rows
  rm -rf "$1"
}

writes() {
  able "$1" put
  mkdir "$1"
  touch "$1/types" "$1/names"
  roma mb "s3://by-$1$query" || fail "mb"
  "$1_put" rows "by-$1" "$1"
  roma_get rows "by-$1" "$1"
  same "$1" "put, read by roma" "$1" rows
  "$python" "$here/s3-clients.py" remove "by-$1"
  rm -rf "$1"
}

[ -x "$ROMA" ] || fail "$ROMA is not built"
requires curl jq "$python"
boto3_there >/dev/null || skip "boto3 is not installed: it also removes the buckets"
objects
npm=${ROMA_NPM:-$work/npm}
if [ ! -d "$npm" ] && command -v npm >/dev/null; then
  npm install --silent --no-audit --no-fund --prefix "$npm" @aws-sdk/client-s3@3 minio@8 >npm.log 2>&1 || echo "npm: $(tail -n 1 npm.log)"
fi
roma mb "s3://from-roma$query" || fail "mb"
mkdir roma
roma_put table from-roma roma
roma_get table from-roma roma
same roma "reads what roma put" roma table
roma_put_described from-roma described/roma || wrong "roma put with headers and metadata"
roma_put_described from-roma described/long $count || wrong "roma put with headers and metadata"
as_described roma "reads its own" described/roma
for client in ${CLIENTS:-awscli s3cmd rclone boto3 awssdk minio}; do
  if ! version=$("${client}_there") || [ -z "$version" ]; then
    echo "SKIP $client is not installed"
    continue
  fi
  echo "     $client is $version"
  describe "$client"
  [ -z "${ONLY_DESCRIBED:-}" ] || continue
  reads "$client"
  writes "$client"
done
# The time of modification, which rclone keeps as metadata too.
if [[ " ${CLIENTS:-rclone} " = *' rclone '* ]] && rclone_there >/dev/null; then
  touch -d '2020-02-03 04:05:06.789 UTC' data/1
  roma put --keep-times data/1 "$(place from-roma times/roma)" || wrong "roma put --keep-times"
  rclone_ copyto data/1 :s3:from-roma/times/rclone || wrong "rclone copyto"
  if [ "$(rclone_ lsjson :s3:from-roma/times | jq -r '.[].ModTime' | uniq)" = 2020-02-03T04:05:06.789000000Z ] &&
    [ "$(roma stat --json "$(place from-roma times/rclone)" | jq .mtime_ns)" = 1580702706789000000 ]; then
    echo "ok   the time of modification, by roma and by rclone: both read the same"
  else
    wrong "another time: $(rclone_ lsjson :s3:from-roma/times) $(roma stat --json "$(place from-roma times/rclone)")"
  fi
fi
"$python" "$here/s3-clients.py" remove from-roma
exit $status
