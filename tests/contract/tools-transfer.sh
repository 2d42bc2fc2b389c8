#!/bin/bash
# put, get, cp, mv between stores, cat, hash, gc.
set -u
# shellcheck source=tests/tools-functions.sh
. "$SRC_DIR/tests/tools-functions.sh"

for size in 0 1 65536 1000001; do
  head -c $size /dev/urandom >source
  expect 0 "$ROMA" put source "$store/$size"
  same source store/$size
  expect 0 "$ROMA" get "$store/$size" back
  same source back
  expect 0 "$ROMA" cat "$store/$size" >back
  same source back
  expect 0 "$ROMA" put - "$store/in" <source
  same source store/in
  expect 0 "$ROMA" get "$store/$size" - >back
  same source back
  # shellcheck disable=SC2002 # a pipe, not a file
  cat source | "$ROMA" put --size-hint $size - "$store/in" || fail "put from a pipe of $size"
  same source store/in
  for algorithm in md5 sha256; do
    expect 0 "$ROMA" hash -a $algorithm "$store/$size" >sum
    [ "$(cut -d' ' -f1 sum)" = "$(${algorithm}sum <source | cut -d' ' -f1)" ] || fail "hash -a $algorithm: $(cat sum)"
    expect 0 "$ROMA" put --verify=$algorithm source "$store/v"
    same source store/v
  done
done
expect 0 "$ROMA" hash -a crc32 "$store/1000001" >sum
[ "$(cut -d' ' -f1 sum)" = "$(gzip -c1 <source | tail -c8 | od -An -tx4 -N4 | tr -d ' ')" ] || fail "crc32: $(cat sum)"
expect 0 "$ROMA" cat --offset 1000 --length 5 "$store/1000001" >back
tail -c +1001 source | head -c 5 | cmp -s - back || fail "cat --offset --length"
expect 0 "$ROMA" cat --offset 2M "$store/1000001" >back
[ ! -s back ] || fail "cat behind the end"
# A pipe that brings another number of bytes than was said
expect 7 "$ROMA" put --size-hint 5 - "$store/short" <<<abc
[ ! -e store/short ] || fail "an object of the wrong size is visible"

# Files that are made while they are read have a length of 0 and are not empty.
cat /proc/version >version
expect 0 "$ROMA" put /proc/version "$store/version"
same version store/version
expect 0 "$ROMA" cp /proc/version version2
same version version2

# Where things go
mkdir -p here/sub/empty store/into
echo 1 >here/one
echo 2 >here/sub/two
ln -s one here/link
expect 0 "$ROMA" put here/one "$store/into"
same here/one store/into/one
expect 0 "$ROMA" put here/one "$store/into/"
expect 0 "$ROMA" put here/one here/sub/two "$store/into"
same here/sub/two store/into/two
expect 2 "$ROMA" put here/one here/sub/two "$store/noplace"
says noplace
expect 2 "$ROMA" put - "$store/into" <here/one
expect 2 "$ROMA" put "$store/into/one" "$store/x"
says 'roma cp'
expect 2 "$ROMA" get "$store/into/one" "$store/x"
expect 3 "$ROMA" put here/missing "$store/x"
says missing
expect 3 "$ROMA" put here/one "$store/no/such/folder"
expect 0 "$ROMA" put --parents here/one "$store/no/such/folder"
same here/one store/no/such/folder
expect 1 "$ROMA" put here "$store/x"
says 'use -r'
[ ! -e store/x ] || fail "put of a folder without -r made something"
expect 2 "$ROMA" cp "$store/into/one" "$store/into/one"
says same

# Trees
expect 0 "$ROMA" put -r here "$store/tree"
diff -r --no-dereference here store/tree >differences || fail "put -r: $(cat differences)"
expect 0 "$ROMA" put -r here "$store/tree"
diff -r --no-dereference here store/tree/here >differences || fail "put -r into a folder: $(cat differences)"
expect 0 "$ROMA" get -r "$store/tree/here" got
diff -r --no-dereference here got >differences || fail "get -r: $(cat differences)"
expect 0 "$ROMA" cp -r here/. copied
diff -r --no-dereference here copied >differences || fail "cp -r of the contents: $(cat differences)"
expect 0 "$ROMA" cp -r "$store/tree/here" "$store/again"
diff -r --no-dereference here store/again >differences || fail "cp -r in a store: $(cat differences)"
expect 2 "$ROMA" cp -r "$store/again" "$store/again/sub/x"
says itself
mkdir many
(cd many && for i in $(seq 1500); do echo "$i" >"f$i"; done)
expect 0 "$ROMA" put -r -j 7 -v many "$store" >out
[ "$(wc -l <out)" = 1500 ] || fail "put -v said $(wc -l <out) lines of 1500"
diff -r many store/many >differences || fail "put -r of many: $(head -5 differences)"
expect 0 "$ROMA" hash -r "$store/many" >sums
sed "s,$store/,," sums | md5sum --quiet -c - || fail "hash -r"
# One that fails, the others are carried
mkdir part
echo a >part/a
mkfifo part/b
echo c >part/c
expect 1 "$ROMA" put -r part "$store/part"
says part/b
same part/a store/part/a
same part/c store/part/c

# A move leaves what it could not copy, and the folder that holds it.
expect 1 "$ROMA" mv part "$store/part-moved?stall=50s"
says part/b
[ "$(wc -l <errors)" = 1 ] || fail "mv of a part says more than what failed: $(cat errors)"
[ -p part/b ] || fail "mv removed what it did not copy"
absent "mv left what it has copied" part/a part/c

# Times and modes, preconditions
chmod 750 here/one
touch -d '2001-02-03 04:05:06' here/one here/sub
expect 0 "$ROMA" put --keep-times here/one "$store/kept"
[ "$(stat -c %Y,%a store/kept)" = "$(stat -c %Y,%a here/one)" ] || fail "--keep-times: $(stat store/kept)"
expect 0 "$ROMA" cp -r --keep-times here "$store/kept-tree"
[ "$(stat -c %Y store/kept-tree/sub)" = "$(stat -c %Y here/sub)" ] || fail "--keep-times of a folder"
expect 9 "$ROMA" put --if-absent here/sub/two "$store/kept"
same here/one store/kept
expect 0 "$ROMA" put --if-absent here/sub/two "$store/fresh"

# Moves between stores: with another option it is another session, and a rename will not do.
cp -a here mine
expect 0 "$ROMA" mv mine/one "$store/moved-in?stall=50s"
same here/one store/moved-in
absent "mv left the source" mine/one
cp -a here/one mine
expect 0 "$ROMA" mv mine "$store/moved-tree?stall=50s"
diff -r --no-dereference here store/moved-tree >differences || fail "mv of a tree: $(cat differences)"
[ "$(stat -c %Y store/moved-tree/one)" = "$(stat -c %Y here/one)" ] || fail "mv lost the time"
absent "mv left the source" mine
ln -s nowhere dangling
# One object under two names of its store: whatever becomes of it, it must not be lost.
printf precious >store/self
ln -s self store/self-link
for name in self self-link; do
  expect 7 "$ROMA" mv "$store/$name" "$store/$name?stall=50s"
  says 'the same object'
done
[ "$(cat store/self)" = precious ] || fail "mv of an object to itself lost it"
[ "$(readlink store/self-link)" = self ] || fail "mv of a link to itself lost it"
rm store/self store/self-link

# A link takes the place of what has its name at once or not at all.
mkdir -p linked store/linked/folder && ln -s new linked/file && ln -s new linked/folder
echo old >store/linked/file
echo kept >store/linked/folder/inside
expect 1 "$ROMA" cp -r linked "$store/"
[ "$(readlink store/linked/file)" = new ] || fail "a link did not replace a file"
[ "$(cat store/linked/folder/inside)" = kept ] || fail "a link took the place of a folder"
no_temporaries store
rm -r linked store/linked

expect 0 "$ROMA" mv dangling "$store/dangling?stall=50s"
[ "$(readlink store/dangling)" = nowhere ] || fail "mv followed a symbolic link"
absent "mv left the source" dangling
mkfifo lonely
# What is no folder is not taken for one, and folders that could not be made there stay here.
echo plain >plain
echo plain >store/plain
expect 2 "$ROMA" rm "$store/plain/"
says "use -r"
expect 1 "$ROMA" rm -r "$store/plain/"
says "is no folder"
expect 2 "$ROMA" cat "$store/plain/"
says "means a folder"
expect 1 "$ROMA" stat "$store/plain/"
says "is no folder"
expect 1 "$ROMA" mv plain/ "$store/elsewhere?stall=50s"
says "is no folder"
expect 1 "$ROMA" mv "$store/plain/" "$store/elsewhere"
same plain store/plain
absent "mv of a file as a folder" store/elsewhere
mkdir -p hollow/deep/deeper
expect 9 "$ROMA" mv hollow "$store/plain?stall=50s"
[ -d hollow/deep/deeper ] || fail "mv removed folders that it could not make: $(find hollow)"
expect 1 "$ROMA" mv lonely "$store/lonely?stall=50s"
says lonely
[ -p lonely ] || fail "mv removed a FIFO"
expect 2 "$ROMA" get --json "$store/kept" -

# Destinations that are no regular files
expect 0 "$ROMA" get "$store/1000001" /dev/null
[ -c /dev/null ] || fail "/dev/null was replaced"
mkfifo pipe
"$ROMA" get "$store/1000001" pipe 2>errors &
getter=$!
cat pipe >back
wait $getter || fail "get to a FIFO: $(cat errors)"
same source back
[ -p pipe ] || fail "the FIFO was replaced"
cat source >pipe &
expect 0 "$ROMA" put pipe "$store/from-pipe"
same source store/from-pipe
echo old >target
ln -s target pointer
expect 0 "$ROMA" get "$store/1000001" pointer
[ -L pointer ] || fail "the symbolic link was replaced"
same source target
# Absolute links too, at the end and on the way.
echo old >target
mkdir elsewhere
ln -sf "$PWD/target" pointer
ln -s "$PWD/elsewhere" aside
ln -s /dev/null nowhere
expect 0 "$ROMA" get "$store/1000001" pointer
[ -L pointer ] || fail "the absolute symbolic link was replaced"
same source target
expect 0 "$ROMA" get "$store/1000001" aside/new
same source elsewhere/new
expect 0 "$ROMA" get "$store/1000001" nowhere
[ -L nowhere ] || fail "the link to /dev/null was replaced"
"$ROMA" get "$store/1000001" /dev/stdout | cmp -s - source || fail "get to /dev/stdout"

# JSON, timing, trace
expect 0 "$ROMA" put --json --timing --trace trace.json here/one "$store/j" >out
grep -q '"source":"here/one","destination":".*/j","bytes":2,' out || fail "put --json: $(cat out)"
grep -q '"timing":{"phase":' out || fail "--timing --json: $(cat out)"
grep -q '"traceEvents"' trace.json || fail "--trace: $(cat trace.json)"
expect 3 "$ROMA" put --json here/missing "$store/j" >out
grep -q '"error":"ROMA_' out || fail "a failure in JSON: $(cat out)"
expect 0 "$ROMA" get --timing "$store/j" back
grep -q '^phase ' errors || fail "--timing: $(cat errors)"
grep -q '^disk ' errors || fail "--timing shows no local disk: $(cat errors)"

# gc takes old temporaries and nothing else. Times that a writer has given its temporary do not make it old: the writer
# is about to give it its name.
echo keep >store/into/.roma~notatemporary
echo t >store/into/.roma~0123456789abcdef
echo t >store/into/.roma~times0123456789a
touch -d '3 days ago' store/into/.roma~times0123456789a
[ "$("$ROMA" ls "$store/into" | grep -c roma~0)" = 0 ] || fail "a temporary is listed"
[ "$("$ROMA" ls --all "$store/into" | grep -c 'roma~0')" = 1 ] || fail "ls --all hides temporaries"
expect 0 "$ROMA" gc --dry-run "$store" >out
grep -q '^0 would be removed' out || fail "gc --dry-run: $(cat out)"
expect 0 "$ROMA" gc "$store" >out
grep -q '^0 removed' out || fail "gc: $(cat out)"
sleep 2
expect 0 "$ROMA" gc --dry-run --older-than 1s "$store" >out
grep -q '^2 would be removed' out || fail "gc --dry-run of old ones: $(cat out)"
expect 0 "$ROMA" gc --older-than 1s "$store" >out
grep -q '^2 removed' out || fail "gc of old ones: $(cat out)"
[ ! -e store/into/.roma~0123456789abcdef ] || fail "gc left an old temporary"
[ -e store/into/.roma~notatemporary ] || fail "gc took too much"
# int is no folder, and the names of the two that begin so are theirs.
mkdir store/int-2
echo t >store/int-2/.roma~0123456789abcdef
expect 0 "$ROMA" gc --older-than 0 "$store/int" >out
grep -q '^0 removed' out || fail "gc of another folder: $(cat out)"
expect 0 "$ROMA" gc --older-than 0 "$store/int-2/" >out
grep -q '^1 removed' out || fail "gc of a folder with a slash: $(cat out)"
rm store/into/.roma~*
no_temporaries .
