#!/bin/bash
# ls, stat, mkdir, rm, mv within a store, help and version.
set -u
# shellcheck source=tests/tools-functions.sh
. "$SRC_DIR/tests/tools-functions.sh"

# Use
expect 2 "$ROMA"
says "see \`roma help\`"
expect 2 "$ROMA" nonsense
says nonsense "see \`roma help\`"
grep -q '^roma: there is no command' errors || fail "said twice: $(cat errors)"
expect 2 "$ROMA" --config none ls "$store"
says 'options stand behind the command'
expect 2 "$ROMA" help nonsense
says nonsense "see \`roma help\`"
expect 2 "$ROMA" ls
expect 2 "$ROMA" ls --parents "$store"
says --parents 'roma help ls'
expect 2 "$ROMA" ls --max
expect 2 "$ROMA" ls --max 0 "$store"
says --max
expect 2 "$ROMA" ls --stall 1y "$store"
says --stall 1y 'as 90s or 5m'
expect 2 "$ROMA" hash --algorithm=sha1 "$store"
says sha1 'md5 (default), sha256 or crc32'
expect 2 "$ROMA" ls "$store/%zz"
says %25
expect 2 "$ROMA" ls "$store/a%00b"
expect 2 "$ROMA" ls ''
expect 2 "$ROMA" ls nowhere:x
says nowhere
expect 2 "$ROMA" ls gopher://x/y
says gopher
expect 0 "$ROMA" help >out
grep -q '^  put ' out || fail "help does not list put"
while read -r command; do
  expect 0 "$ROMA" help "$command" >out2
  grep -q "^usage: roma $command " out2 || fail "no help for $command"
  "$ROMA" "$command" --help | cmp -s - out2 || fail "$command --help differs from help $command"
done < <(sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p' out)
expect 0 "$ROMA" --version >out
grep -q 'libroma [0-9]' out || fail "--version: $(cat out)"
grep -qw file out || fail "--version names no kinds of stores: $(cat out)"

# mkdir
expect 0 "$ROMA" mkdir "$store/a"
[ -d store/a ] || fail "mkdir made nothing"
expect 9 "$ROMA" mkdir "$store/a"
expect 3 "$ROMA" mkdir "$store/x/y/z"
says 'use -p'
expect 0 "$ROMA" mkdir -p "$store/x/y/z" "$store/a"
[ -d store/x/y/z ] || fail "mkdir -p made nothing"

# ls
printf hello >store/a/one
printf hi >"store/a/two words"
mkdir store/a/sub
printf x >store/a/sub/deep
expect 0 "$ROMA" ls "$store/a" >out
printf 'one\nsub/\ntwo words\n' | cmp -s - out || fail "ls: $(cat out)"
expect 0 "$ROMA" ls "$store/a/" >out2
same out out2
expect 0 "$ROMA" ls -r "$store/a" >out
printf 'one\nsub/\nsub/deep\ntwo words\n' | cmp -s - out || fail "ls -r: $(cat out)"
expect 0 "$ROMA" ls --max 2 "$store/a" >out
[ "$(wc -l <out)" = 2 ] || fail "ls --max 2: $(cat out)"
expect 0 "$ROMA" ls -l "$store/a" >out
grep -Eq '^-[rwx-]{9} +1 +[0-9]+ +[0-9]+ +5 [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} one$' out || fail "ls -l: $(cat out)"
expect 0 "$ROMA" ls store/a >out2
printf 'one\nsub/\ntwo words\n' | cmp -s - out2 || fail "ls of a local folder: $(cat out2)"
expect 0 "$ROMA" ls "$store/a/one" >out
grep -q one out || fail "ls of an object: $(cat out)"
expect 3 "$ROMA" ls "$store/nothing"
says nothing
# More than one page
mkdir store/many
(cd store/many && seq 12345 | xargs touch)
[ "$("$ROMA" ls "$store/many" | wc -l)" = 12345 ] || fail "ls lost entries of a large folder"
[ "$("$ROMA" ls -r "$store" | grep -c '^many/[0-9]')" = 12345 ] || fail "ls -r lost entries of a large folder"

# Names: UTF-8, percent, question mark, newline, bytes that are no UTF-8
bad=$(printf 'b\xffd')
for name in 'ü é' '50% off' 'what?' '#+&' $'new\nline' "$bad" '-dash' "$(printf '%0255d' 0)"; do
  mkdir -p store/names
  printf '%s' "$name" >"store/names/$name"
  expect 0 "$ROMA" stat "./store/names/$name" >/dev/null
  uri=${name//%/%25}
  uri=${uri//\?/%3F}
  expect 0 "$ROMA" cat "$store/names/$uri" >out
  [ "$(cat out)" = "$name" ] || fail "cat of $name: $(cat out)"
done
expect 2 "$ROMA" put errors "$store/$(printf '%0256d' 0)"
expect 0 "$ROMA" ls --json "$store/names" >out
grep -q '"key_hex":"6e616d65732f62ff64"\|"key_hex":"[0-9a-f]*62ff64"' out || fail "no key_hex in $(cat out)"
[ "$(wc -l <out)" = 8 ] || fail "not one object a line: $(cat out)"

# stat
expect 0 "$ROMA" stat "$store/a/one" >out
grep -q '^ *length: 5$' out || fail "stat: $(cat out)"
expect 0 "$ROMA" stat --json "$store/a/one" >out
grep -q '"type":"file","length":5,' out || fail "stat --json: $(cat out)"
ln -s one store/a/link
expect 0 "$ROMA" stat "$store/a/link" >out
grep -q 'type: file' out || fail "stat of a link: $(cat out)"
expect 0 "$ROMA" stat --no-follow "$store/a/link" >out
grep -q 'type: symlink' out || fail "stat --no-follow: $(cat out)"
expect 3 "$ROMA" stat "$store/a/nothing"
says nothing

# mv inside a store
expect 0 "$ROMA" mv "$store/a/one" "$store/a/1"
[ "$(cat store/a/1)" = hello ] || fail "mv lost the file"
[ ! -e store/a/one ] || fail "mv left the old name"
expect 0 "$ROMA" mv "$store/a/1" "$store/x"
[ -f store/x/1 ] || fail "mv into a folder"
expect 0 "$ROMA" mv "$store/x/1" "$store/a/two words" "$store/a/sub/"
for name in 1 deep 'two words'; do
  [ -f "store/a/sub/$name" ] || fail "mv of two: $name is missing"
done
expect 9 "$ROMA" mv --if-absent "$store/a/sub/1" "$store/a/sub/deep"
[ "$(cat store/a/sub/deep)" = x ] || fail "mv --if-absent replaced"
expect 3 "$ROMA" mv "$store/a/none" "$store/a/other"
expect 0 "$ROMA" mv "$store/a/sub" "$store/moved"
[ -f store/moved/deep ] || fail "mv of a folder"

# rm
expect 3 "$ROMA" rm "$store/none"
expect 0 "$ROMA" rm -f "$store/none"
expect 1 "$ROMA" rm "$store/moved"
says 'use -r'
[ -d store/moved ] || fail "rm removed a folder without -r"
mkdir outside
touch outside/precious
ln -s ../../outside store/moved/out
expect 0 "$ROMA" rm -r "$store/moved" "$store/many"
absent "rm -r" store/moved store/many
[ -f outside/precious ] || fail "rm -r followed a symbolic link"
expect 2 "$ROMA" rm -r "file://"
says 'name what lies below'
says root
cd store || exit 1
expect 2 "$ROMA" rm -r .
expect 2 "$ROMA" rm -r ..
cd ..
[ -d store/x ] || fail "rm -r . removed something"
# One failure does not stop the others.
touch store/p store/q
expect 3 "$ROMA" rm "$store/p" "$store/none" "$store/q"
absent "rm stopped at the first failure" store/p store/q

expect 0 "$ROMA" ping "$store" >out
grep -q 'round trip' out || fail "ping: $(cat out)"
no_temporaries store
