#!/bin/bash
# Odd keys and all sizes on a real gateway: put and read again byte for byte, times and types kept, lists complete.
set -u
# shellcheck source=tests/ceph/s3-functions.sh
. "$SRC_DIR/tests/ceph/s3-functions.sh"
cd "$SCRATCH" || exit 1
bucket=objects-$$
uri=s3://$bucket
status=0
fail() {
  echo "FAIL: $*"
  status=1
}
"$ROMA" mb "$uri$query" || exit 1
"$ROMA" mb "$uri$query" 2>/dev/null
head -c 73400321 /dev/urandom >data
echo "of no matter" >words
for size in 0 1 16777216 16777217 73400321; do
  head -c $size data >part
  touch -d '2020-02-03 04:05:06.789 UTC' part
  "$ROMA" put --keep-times part "$uri/sizes/$size.txt$query" || fail "put $size"
  "$ROMA" cat "$uri/sizes/$size.txt$query" | cmp - part || fail "size $size"
  "$ROMA" stat "$uri/sizes/$size.txt$query" | grep -q "length: $size\$" || fail "length of $size"
done
"$ROMA" stat --json "$uri/sizes/1.txt$query" | grep -q '"mtime_ns": *1580702706789000000' || fail "the time was not kept"
# What was put in one piece has an MD5 to be compared with, and what does not have it is not taken.
curl -sSf -T data "$("$ROMA" presign --method PUT "$uri/sizes/whole$query")" || fail "put by curl"
"$ROMA" get "$uri/sizes/whole$query" whole || fail "get of what was put in one piece"
cmp data whole || fail "the bytes of what was put in one piece"
"$ROMA" cat "$uri/sizes/whole$query&verify=no" | cmp - data || fail "the same with verify=no"
"$ROMA" rm "$uri/sizes/whole$query"
rm -f whole
# A checksum that this server does not look at changes nothing.
for sum in crc32c crc64nvme md5; do
  head -c 12000000 data >summed
  "$ROMA" put summed "$uri/sums/$sum$query&checksum=$sum&part=5M" || fail "put with $sum in parts"
  "$ROMA" cat "$uri/sums/$sum$query" | cmp - summed || fail "the bytes put with $sum"
  "$ROMA" rm "$uri/sums/$sum$query"
done
# Of unknown length, and parts of 5 MiB
"$ROMA" put - "$uri/pipe?${query#\?}&part=5M" <data || fail "put from a pipe"
"$ROMA" cat "$uri/pipe$query" | cmp - data || fail "from a pipe"
"$ROMA" cat --offset 8388600 --length 20 "$uri/pipe$query" | cmp - <(tail -c +8388601 data | head -c 20) || fail "a range"
"$ROMA" put --if-absent words "$uri/pipe$query" 2>/dev/null
[ $? = 9 ] || fail "if-absent over an object"
"$ROMA" put --if-absent words "$uri/new$query" || fail "if-absent"
"$ROMA" put --if-absent part "$uri/long$query" 2>err && fail "if-absent of more than one request can carry"
grep -q "64 MiB" err || fail "no word about the limit: $(cat err)"

keys=('sp ace' 'plus+' 'per%25cent' 'double//slash' './dot' '../dots' '.hidden' 'ünïcode-日本' "quo'te\"" 'a&b=c;d' '~*()!$,@:[]' 'slash%2F' "$(printf 'k%.0s' {1..1024})")
for key in "${keys[@]}"; do
  printf %s "$key" >small
  "$ROMA" put small "$uri/$key$query" || fail "put $key"
  "$ROMA" cat "$uri/$key$query" | cmp - small || fail "key $key"
done
"$ROMA" put small "$uri/$(printf 'k%.0s' {1..1025})$query" 2>err && fail "a key of 1025 bytes"
[ "$("$ROMA" ls -r "$uri/$query" | wc -l)" = 20 ] || fail "the list has $("$ROMA" ls -r "$uri/$query" | wc -l) names"
# A slash at the end means a folder; written %2F it is a part of the key.
"$ROMA" stat "$uri/slash$query" | grep -q 'type: folder' || fail "slash is no folder: $("$ROMA" stat "$uri/slash$query")"
"$ROMA" stat "$uri/slash%2F$query" | grep -q 'length: 8$' || fail "stat of slash%2F"
[ "$("$ROMA" ls --json "$uri/slash%2F$query" | grep -c '"key": *"slash/"')" = 1 ] || fail "ls of slash%2F"
"$ROMA" get "$uri/slash%2F$query" got-slash || fail "get of slash%2F"
cmp got-slash <(printf slash%%2F) || fail "the bytes of slash%2F"
mkdir -p into
"$ROMA" get "$uri/slash%2F$query" into 2>err && fail "get of slash%2F into a folder"
grep -q 'ends in a slash' err || fail "get of slash%2F into a folder: $(cat err)"
"$ROMA" mv "$uri/slash%2F$query" "$uri/other%2F$query" || fail "mv of slash%2F"
"$ROMA" cp "$uri/other%2F$query" "$uri/into/$query" || fail "cp of other%2F into a folder"
"$ROMA" cat "$uri/into/other%2F$query" | cmp - got-slash || fail "the bytes of into/other%2F"
"$ROMA" rm "$uri/slash%2F$query" 2>/dev/null && fail "mv left slash%2F"
"$ROMA" rm "$uri/into/other%2F$query" "$uri/other%2F$query" || fail "rm of other%2F"
# Such a key is only a name there, but a way out of the destination here.
for key in tree/../../dots tree/plain; do
  "$ROMA" put small "$uri/$key$query" || fail "put $key"
done
mkdir deep
"$ROMA" get -r "$uri/tree$query" deep/out 2>err && fail "get -r of a key with .. ended well"
grep -q 'leads out of deep/out' err || fail "get -r of a key with ..: $(cat err)"
cmp small deep/out/plain || fail "get -r left out more"
if [ -e dots ] || [ -e deep/dots ]; then fail "a key led out of the destination"; fi
# "both" is an object and "both/leaf" another one: a slash at the end means what lies below, never the object.
both() {
  "$ROMA" put words "$uri/both$query" || fail "put of both"
  "$ROMA" put part "$uri/both/leaf$query" || fail "put of both/leaf"
}
there() {
  "$ROMA" ls -r "$uri/$query" | grep '^both' | tr '\n' ' ' >list
  [ "$(cat list)" = "$1" ] || fail "$2 left $(cat list)"
}
both
"$ROMA" rm "$uri/both/$query" 2>err
[ $? = 2 ] || fail "rm of both/ without -r: $(cat err)"
there 'both both/leaf ' 'rm of both/ without -r'
[ "$("$ROMA" ls "$uri/both/$query")" = leaf ] || fail "ls of both/: $("$ROMA" ls "$uri/both/$query")"
"$ROMA" hash -r "$uri/both/$query" >list || fail "hash -r of both/"
[ "$(wc -l <list)" = 1 ] || fail "hash -r of both/: $(cat list)"
grep -q 'both/leaf' list || fail "hash -r of both/: $(cat list)"
"$ROMA" stat "$uri/both/$query" | grep -q 'type: folder' || fail "stat of both/: $("$ROMA" stat "$uri/both/$query")"
for command in cat hash chunks diagnose 'upload begin'; do
  # shellcheck disable=SC2086 # words
  "$ROMA" $command "$uri/both/$query" >list 2>err
  [ $? = 2 ] || fail "$command of both/: $(cat list err)"
done
"$ROMA" get "$uri/both/$query" got-both 2>err
[ $? = 2 ] || fail "get of both/ without -r: $(cat err)"
"$ROMA" get -r "$uri/both/$query" got-both || fail "get -r of both/"
cmp part got-both/leaf || fail "get -r of both/: $(find got-both)"
"$ROMA" mv "$uri/both/$query" moved-both || fail "mv of both/"
cmp part moved-both/leaf || fail "mv of both/: $(find moved-both)"
there 'both ' 'mv of both/'
"$ROMA" rm -r "$uri/both/$query" 2>err
[ $? = 3 ] || fail "rm -r of nothing: $(cat err)"
both
"$ROMA" sync -q "$uri/both$query" synced 2>err
[ $? = 2 ] || fail "sync of both: $(cat err)"
grep -q 'slash at its end' err || fail "sync of both: $(cat err)"
mkdir synced
touch synced/old
"$ROMA" sync -q --delete "$uri/both/$query" synced || fail "sync --delete of both/"
cmp part synced/leaf || fail "sync of both/: $(find synced)"
[ ! -e synced/old ] || fail "sync --delete of both/ removed nothing"
touch synced/more
"$ROMA" sync -q synced "$uri/both/$query" || fail "sync to both/"
there 'both both/leaf both/more ' 'sync to both/'
"$ROMA" rm -r "$uri/both/$query" || fail "rm -r of both/"
there 'both ' 'rm -r of both/'
"$ROMA" rm -rf "$uri/both/$query" || fail "rm -rf of nothing"
"$ROMA" rm -rf "s3://no-such-$bucket/both/$query" || fail "rm -rf in a bucket that is not there"
"$ROMA" rm "$uri/both$query" || fail "rm of both"
# A folder of files; and objects with names of folders, as other clients make them: what is in them is not lost in silence.
mkdir -p plant/sub
echo leaf >plant/sub/leaf
"$ROMA" put -r plant "$uri/plant$query" || fail "put -r"
"$ROMA" cp -r "$uri/plant$query" "$uri/plant2$query" || fail "cp -r within a bucket"
"$ROMA" cat "$uri/plant2/sub/leaf$query" | cmp - plant/sub/leaf || fail "cp -r within a bucket left out a file"
"$ROMA" presign --method POST --prefix "$uri/marks/$query" >form || fail "presign POST"
: >nothing
# named KEY FILE
named() {
  local fields=(-F "key=$1") field
  while read -r field; do
    [ "${field%%=*}" = key ] || fields+=(-F "$field")
  done < <(tail -n +2 form)
  curl -sSf "${fields[@]}" -F "file=@$2" "$(head -n 1 form)" || fail "post $1"
}
named marks/ nothing
named marks/empty/ nothing
named marks/below/leaf words
"$ROMA" get -r "$uri/marks$query" marks || fail "get -r of empty marks"
[ -d marks/empty ] || fail "no folder for an empty mark"
named marks/below/ words
for how in "get -r" sync; do
  rm -rf marks
  # shellcheck disable=SC2086 # words
  "$ROMA" $how "$uri/marks$query" marks >/dev/null 2>err && fail "$how left out an object and ended well"
  grep -q 'marks/below.* is the name of a folder and of an object of 13 bytes' err || fail "$how: no word about it: $(cat err)"
  cmp words marks/below/leaf || fail "$how left out more"
done
"$ROMA" sync "$uri/marks$query" marks >/dev/null 2>&1 && fail "another sync ended well"
"$ROMA" cp -r "$uri/marks$query" "$uri/marks2$query" || fail "cp -r of marks"
"$ROMA" sync -q "$uri/marks$query" "$uri/marks3$query" || fail "sync of marks"
for copy in marks2 marks3; do
  [ "$("$ROMA" ls -r "$uri/$copy$query" | tr '\n' ' ')" = 'below/ below/leaf empty/ ' ] ||
    fail "$copy: $("$ROMA" ls -r "$uri/$copy$query")"
done
named marks/below/ part
[ "$("$ROMA" sync "$uri/marks$query" "$uri/marks3$query")" = '1 copied, 2 the same, 0 removed' ] || fail "sync of a changed mark"
# A tree that is moved leaves nothing, and loses nothing that is more than a name.
moving() {
  "$ROMA" put nothing "$uri/$1%2F$query" || fail "put of $1/"
  "$ROMA" put nothing "$uri/$1/empty%2F$query" || fail "put of $1/empty/"
  "$ROMA" put words "$uri/$1/below/leaf$query" || fail "put of $1/below/leaf"
}
moving moving
"$ROMA" mv "$uri/moving$query" moved || fail "mv of marks to a folder"
[ -d moved/empty ] || fail "mv of marks to a folder: $(find moved)"
cmp moved/below/leaf words || fail "the bytes of a leaf that was moved"
"$ROMA" ls -r "$uri/$query" | grep '^moving' && fail "mv to a folder left marks"
moving moving
"$ROMA" mv "$uri/moving$query" "$uri/moved$query" || fail "mv of marks"
"$ROMA" ls -r "$uri/$query" | grep '^mov' | tr '\n' ' ' >list
[ "$(cat list)" = 'moved/ moved/below/leaf moved/empty/ ' ] || fail "mv of marks: $(cat list)"
"$ROMA" put words "$uri/moved/empty%2F$query" || fail "put of a mark with bytes"
"$ROMA" mv "$uri/moved$query" moved2 2>err && fail "mv left out an object and ended well"
"$ROMA" ls -r "$uri/$query" | grep '^mov' | tr '\n' ' ' >list
[ "$(cat list)" = 'moved/ moved/empty/ ' ] || fail "mv of a mark with bytes: $(cat list)"
for name in plant plant2 marks marks2 marks3 moved; do
  "$ROMA" rm -r "$uri/$name$query" || fail "rm -r $name"
done
curl -sS -o /dev/null -D headers "$("$ROMA" presign "$uri/sizes/1.txt$query")"
grep -qi '^content-type: text/plain' headers || fail "the type was not guessed"
"$ROMA" rb "$uri$query" 2>/dev/null && fail "a bucket that is not empty was removed"
# Keys are AWS V2 too, and wrong ones are refused without showing them.
"$ROMA" cat "$uri/new$query&dialect=aws2" | cmp - words || fail "dialect aws2"
AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null "$ROMA" cat "$uri/new$query" | cmp - words || fail "files of keys that are not there"
AWS_SECRET_ACCESS_KEY=wrongwrongwrong "$ROMA" stat "$uri/new$query" 2>err && fail "a wrong key was accepted"
grep -q wrongwrong err && fail "the key was shown"
"$ROMA" rm -r "$uri/$query" 2>/dev/null
"$ROMA" ls -r "$uri/$query" | while read -r key; do
  key=${key//%/%25}
  "$ROMA" rm "$uri/${key/%\//%2F}$query"
done
"$ROMA" rb "$uri$query" || { fail "the bucket stays"; "$ROMA" ls -r "$uri/$query"; }
exit $status
