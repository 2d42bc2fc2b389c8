#!/bin/bash
# Content types, headers and metadata on a real gateway: what put gives an object is what stat and other clients see.
set -u
# shellcheck source=tests/ceph/s3-functions.sh
. "$SRC_DIR/tests/ceph/s3-functions.sh"
cd "$SCRATCH" || exit 1
bucket=meta-$$
uri=s3://$bucket
status=0
fail() {
  echo "FAIL: $*"
  status=1
}
"$ROMA" mb "$uri$query" || exit 1
head -c 20000000 /dev/urandom >long
echo "of no matter" >words
props=(--content-type 'text/x-odd; charset=utf-8' --cache-control 'max-age=60, public' --disposition 'attachment; filename="a b.txt"'
  --header 'Content-Language: de' --header 'Expires: Thu, 01 Dec 2033 16:00:00 GMT' --meta 'Colour=dark blue' --meta "odd-~name=;,:%20=\"'+"
  --meta "many=$(head -c 1500 /dev/zero | tr '\0' x)")
# shows KEY: all of them
shows() {
  "$ROMA" stat --json "$uri/$1$query" >shown || fail "stat $1"
  for field in '"content-type": *"text/x-odd; charset=utf-8"' '"cache-control": *"max-age=60, public"' \
    '"content-disposition": *"attachment; filename=\\"a b.txt\\""' '"content-language": *"de"' '"expires": *"Thu, 01 Dec 2033' \
    '"colour": *"dark blue"' "\"odd-~name\": *\";,:%20=\\\\\"'+\"" '"many": *"x\{1500\}"'; do
    grep -q -- "$field" shown || fail "$1: no $field in $(cat shown)"
  done
}
for dialect in aws4 aws2; do
  "$ROMA" put "${props[@]}" words "$uri/words-$dialect$query&dialect=$dialect" || fail "put, $dialect"
  shows words-$dialect
done
"$ROMA" put "${props[@]}" --keep-times long "$uri/long$query" || fail "put in parts"
shows long
grep -q "\"mtime_ns\": *$(stat -c %Y long)" shown || fail "the time was lost: $(cat shown)"
"$ROMA" cat "$uri/long$query" | cmp - long || fail "the bytes in parts"
"$ROMA" put "${props[@]}" - "$uri/pipe$query&part=5M" <long || fail "put from a pipe"
shows pipe
"$ROMA" put --resume "${props[@]}" long "$uri/resumed$query" || fail "put --resume"
shows resumed
# One that was begun otherwise is taken up, and that is told; one whose parts it would not complete is not.
id=$("$ROMA" upload begin --meta colour=red "$uri/resumed$query") || fail "upload begin"
"$ROMA" upload part --upload-id "$id" --part 1 --length 16777216 long "$uri/resumed$query" >/dev/null || fail "upload part"
"$ROMA" put -v --resume --meta colour=blue long "$uri/resumed$query" >out 2>errors
[ $? = 1 ] || fail "put --resume of an upload with other attributes: $(cat errors)"
grep -qF "the object has colour: red where blue was asked for" errors || fail "what differs: $(cat errors)"
grep -qF " 1 of " out || fail "the part was put again: $(cat out)"
"$ROMA" cat "$uri/resumed$query" | cmp - long || fail "the bytes of the upload that was taken up"
id=$("$ROMA" upload begin "$uri/resumed$query") || fail "upload begin"
"$ROMA" upload part --upload-id "$id" --part 1 --length 4194304 long "$uri/resumed$query" >/dev/null || fail "upload part"
"$ROMA" put --resume "${props[@]}" long "$uri/resumed$query" 2>errors || fail "put --resume beside short parts: $(cat errors)"
grep -qF "the upload $id of " errors || fail "short parts: $(cat errors)"
grep -qF "is not taken up" errors || fail "short parts: $(cat errors)"
shows resumed
"$ROMA" cat "$uri/resumed$query" | cmp - long || fail "the bytes beside short parts"
"$ROMA" upload abort --upload-id "$id" "$uri/resumed$query" || fail "upload abort"
id=$("$ROMA" upload begin "${props[@]}" "$uri/steps$query") || fail "upload begin"
"$ROMA" upload part --upload-id "$id" --part 1 words "$uri/steps$query" >/dev/null || fail "upload part"
"$ROMA" upload complete --upload-id "$id" "$uri/steps$query" || fail "upload complete"
shows steps
curl -sS -o body -D headers "$("$ROMA" presign "$uri/words-aws4$query")"
cmp body words || fail "the bytes by curl"
tr -d '\r' <headers >lines
for line in 'content-type: text/x-odd; charset=utf-8' 'cache-control: max-age=60, public' 'content-disposition: attachment; filename="a b.txt"' \
  'x-amz-meta-colour: dark blue'; do
  grep -qixF -- "$line" lines || fail "curl does not see $line: $(cat lines)"
done
# What replaces an object has nothing of the old one.
"$ROMA" put words "$uri/words-aws4$query" || fail "put over it"
"$ROMA" stat "$uri/words-aws4$query" >shown
if grep -q 'metadata:\|cache-control' shown; then fail "something of the old one stayed: $(cat shown)"; fi
# What the server refuses is an error with its word, and nothing is there.
"$ROMA" put --header 'x-amz-acl: no-such-acl' words "$uri/none$query" 2>err && fail "an ACL that there is not"
"$ROMA" stat "$uri/none$query" 2>/dev/null && fail "it was put in spite of it"
"$ROMA" put --header 'x-amz-acl: public-read' words "$uri/open$query" || fail "an ACL"
curl -sSf -o body "$ROMA_CEPH_S3/$bucket/open" || fail "nobody can read it"
cmp body words || fail "the bytes for nobody"
# Conditions. Of many that replace the same version at once exactly one does, and the others know.
etag_of() { "$ROMA" stat --json "$uri/$1$query" | sed 's/.*"etag": *"\([^"]*\)".*/\1/'; }
echo first >v
"$ROMA" put v "$uri/cond$query" || fail "put"
was=$(etag_of cond)
"$ROMA" put --if-match 0123456789abcdef0123456789abcdef words "$uri/cond$query" 2>/dev/null
[ $? = 9 ] || fail "another version was replaced"
"$ROMA" put --if-match "$was" words "$uri/none$query" 2>/dev/null
[ $? = 9 ] || fail "nothing was replaced"
"$ROMA" stat "$uri/none$query" 2>/dev/null && fail "it was put nevertheless"
for i in 1 2 3 4 5 6 7 8; do
  echo "version $i" >v$i
  { "$ROMA" put --if-match "$was" v$i "$uri/cond$query" 2>err$i; echo $? >rc$i; } &
done
wait
won=$(grep -lx 0 rc? | tr -d rc)
case $won in
[1-8]) "$ROMA" cat "$uri/cond$query" | cmp - v"$won" || fail "version $won was put and is not there" ;;
*) fail "of 8 that replaced one version these succeeded: $(grep -H . rc?) $(cat err?)" ;;
esac
"$ROMA" put --if-match "$(etag_of cond)" words "$uri/cond$query" || fail "put over the right version"
"$ROMA" cat --if-match "$(etag_of cond)" "$uri/cond$query" | cmp - words || fail "cat of the right version"
"$ROMA" cat --if-none-match "$(etag_of cond)" "$uri/cond$query" 2>/dev/null
[ $? = 9 ] || fail "cat of what has not changed"
"$ROMA" get --if-match "$was" "$uri/cond$query" old 2>/dev/null
[ $? = 9 ] || fail "get of a version that is gone"
# Copies by the server: within the bucket, into another, in parts, and moves; all that the object has goes with it.
"$ROMA" mb "$uri-2$query" || exit 1
"$ROMA" put "${props[@]}" words "$uri/short$query" || fail "put"
for to in "$uri/copy" "$uri-2/copy"; do
  for key in short long; do
    "$ROMA" cp "$uri/$key$query" "$to-$key$query" || fail "cp $key to $to"
    "$ROMA" cat "$to-$key$query" | cmp - "$([ $key = long ] && echo long || echo words)" || fail "the bytes of $to-$key"
  done
done
shows copy-short
shows copy-long
"$ROMA" cp "$uri/long$query&copy=6M&part=5M" "$uri/parts$query&copy=6M&part=5M" || fail "cp in parts"
"$ROMA" cat "$uri/parts$query" | cmp - long || fail "the bytes of a copy in parts"
shows parts
grep -q '"etag": *"[0-9a-f]*-4"' shown || fail "it was not made of 4 parts: $(cat shown)"
"$ROMA" cp --trace trace "$uri/long$query" "$uri/traced$query" || fail "cp --trace"
grep -q CopyObject trace || fail "the server did not make the copy"
if grep -q GetObject trace; then fail "bytes were read"; fi
"$ROMA" cp --meta colour=red "$uri/short$query" "$uri/red$query" || fail "cp --meta"
"$ROMA" stat --json "$uri/red$query" >shown
for field in '"colour": *"red"' '"content-type": *"text/x-odd; charset=utf-8"'; do
  grep -q "$field" shown || fail "cp --meta: no $field in $(cat shown)"
done
# A copy to itself: other metadata, the same bytes; in parts too. And without any.
for how in short long 'long&copy=6M&part=5M'; do
  key=${how%%&*}
  more=${how#"$key"}
  "$ROMA" cp --meta colour=green --cache-control no-store "$uri/$key$query$more" "$uri/$key$query$more" || fail "cp of $how to itself"
  "$ROMA" cat "$uri/$key$query" | cmp - "$([ "$key" = long ] && echo long || echo words)" || fail "the bytes of $how"
  "$ROMA" stat --json "$uri/$key$query" >shown
  for field in '"colour": *"green"' '"cache-control": *"no-store"' '"content-type": *"text/x-odd; charset=utf-8"' '"content-language": *"de"'; do
    grep -q -- "$field" shown || fail "cp of $how to itself: no $field in $(cat shown)"
  done
done
"$ROMA" cp --no-meta "$uri/short$query" "$uri/short$query" || fail "cp --no-meta to itself"
"$ROMA" stat "$uri/short$query" >shown
if grep -q 'metadata:\|cache-control' shown; then fail "--no-meta left something: $(cat shown)"; fi
grep -q 'header: content-type: text/x-odd' shown || fail "--no-meta lost the type: $(cat shown)"
"$ROMA" cp "$uri/short$query" "$uri/short$query" 2>err && fail "cp to itself without anything new"
"$ROMA" cp --no-meta "$uri/long$query" "$uri/bare${query/127.0.0.1/localhost}" || fail "cp --no-meta to another name of the server"
"$ROMA" cat "$uri/bare$query" | cmp - long || fail "the bytes of a copy without metadata"
"$ROMA" stat "$uri/bare$query" | grep 'metadata:' && fail "a copy without metadata has some"
"$ROMA" put "${props[@]}" --keep-times long "$uri/long$query" || fail "put again"
"$ROMA" mv "$uri-2/copy-short$query" "$uri/moved$query" || fail "mv from another bucket"
shows moved
"$ROMA" stat "$uri-2/copy-short$query" 2>/dev/null && fail "mv left the source"
"$ROMA" cp "$uri/nothing$query" "$uri/x$query" 2>err
[ $? = 3 ] || fail "cp of nothing: $(cat err)"
# Carried over here, between two names of the server's: with the same metadata.
"$ROMA" cp "$uri/long$query" "$uri/carried${query/127.0.0.1/localhost}" || fail "cp to another name of the server"
"$ROMA" cat "$uri/carried$query" | cmp - long || fail "the bytes carried over"
shows carried
# A move to itself, under two names of the server or of the store: the object stays.
printf '[meta]\nuri = %s/pre%s\n' "$uri" "$query" >conf
"$ROMA" put "${props[@]}" words "$uri/pre/one$query" || fail "put"
for names in "$uri/pre/one${query/127.0.0.1/localhost}" meta:one; do
  for more in '' --verify=crc32; do
    # shellcheck disable=SC2086
    ROMA_CONFIG=$PWD/conf "$ROMA" mv $more "$names" "$uri/pre/one$query" 2>err && fail "mv of $names to itself"
    grep -q "the same object" err || fail "mv of $names to itself: $(cat err)"
    "$ROMA" cat "$uri/pre/one$query" | cmp - words || fail "mv of $names to itself lost it: $(cat err)"
  done
done
ROMA_CONFIG=$PWD/conf "$ROMA" cp meta:one "$uri/pre/one$query" 2>err && fail "cp to itself under another name"
# A folder whose objects have times of their own goes, and none of it stays.
mkdir tree && cp words tree/a && cp words tree/b && touch -d '2020-02-02 02:02:02' tree/a tree/b
"$ROMA" put -r --keep-times tree "$uri/tree$query" || fail "put of a folder"
"$ROMA" mv "$uri/tree$query" "$uri/moved-tree$query" || fail "mv of a folder"
"$ROMA" ls -r "$uri/tree$query" 2>/dev/null | grep -q . && fail "mv of a folder left: $("$ROMA" ls -r "$uri/tree$query")"
"$ROMA" cat "$uri/moved-tree/b$query" | cmp - words || fail "the bytes of a folder"
odd='od d+%25 é/ö'
"$ROMA" put "${props[@]}" words "$uri/$odd$query" || fail "put of an odd key"
"$ROMA" cp "$uri/$odd$query" "$uri-2/$odd$query" || fail "cp of an odd key"
"$ROMA" cat "$uri-2/$odd$query" | cmp - words || fail "the bytes of an odd key"
"$ROMA" ls -r "$uri-2/$query" | while read -r key; do "$ROMA" rm "$uri-2/${key//%/%25}$query"; done
"$ROMA" rb "$uri-2$query" || fail "the second bucket stays"
"$ROMA" ls -r "$uri/$query" | while read -r key; do "$ROMA" rm "$uri/${key//%/%25}$query"; done
"$ROMA" rb "$uri$query" || fail "the bucket stays"
exit $status
