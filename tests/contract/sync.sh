#!/bin/bash
# roma sync between a local folder and a real MooseFS: killed twice, ends equal; what is equal is not moved again.
# timeout: 300
set -u
# shellcheck source=tests/sync.sh
. "$SRC_DIR/tests/sync.sh"
cd "$SCRATCH" || exit 1
SCRATCH=$PWD
ns=${ROMA_MFS_NS:-}
unset ROMA_MFS_NS
make_tree tree
from=file://$SCRATCH/tree

# Small things on a local folder
mkdir -p small/a/b small/empty to/old/older
echo one >small/a/b/one
echo two >small/two
ln -s two small/link
echo old >to/old/older/file
echo other >to/two
touch -d '2020-01-01' small/two to/two
told '3 to be copied, 0 the same, 0 to be removed' roma sync --dry-run small to
[ "$(cat to/two)" = other ] || fail "--dry-run has copied"
told '3 copied, 0 the same, 0 removed' roma sync small to
[ -e to/old/older/file ] || fail "removed without --delete"
told '0 copied, 3 the same, 1 removed' roma sync --delete small to
diff -r small to || fail "small and to differ"
[ -L to/link ] || fail "a link has become a file"
for command in 'sync small to' 'gc to'; do
  # shellcheck disable=SC2086 # words
  [ -n "$(roma $command)" ] || fail "$command: no counts"
  # shellcheck disable=SC2086
  [ -z "$(roma $command -q)" ] || fail "$command -q: $(roma $command -q)"
done
# The same length and time: only --checksum sees it.
printf 'owt\n' >small/two
touch -d '2020-01-01' small/two
told '0 copied, 3 the same, 0 removed' roma sync small to
told '1 copied, 2 the same, 0 removed' roma sync --checksum small to
[ "$(cat to/two)" = owt ] || fail "--checksum"
roma sync --delete nowhere to 2>/dev/null && fail "a source that is not there"
[ -e to/two ] || fail "a source that is not there has emptied the destination"
roma sync small small/a 2>/dev/null && fail "into itself"

# The source in the destination under another name
mkdir -p outer/from/inner
echo kept >outer/from/inner/file
ln -s outer alias
for pair in "outer/from alias" "alias/from outer" "alias outer/from/new" "file://$SCRATCH/outer/from alias"; do
  # shellcheck disable=SC2086 # words
  roma sync --delete $pair 2>errors && fail "$pair: one lies in the other"
  grep -q 'lies in the other' errors || fail "$pair: $(cat errors)"
done
printf '[other]\nuri = file://%s/outer\n' "$SCRATCH" >roma.conf
ROMA_CONFIG=$SCRATCH/roma.conf roma sync -q --delete outer/from other: 2>errors && fail "the source was taken for a leftover"
grep -q 'lies in' errors || fail "the source in the destination: $(cat errors)"
[ -e outer/from/inner/file ] || fail "the source was removed"

# A source that goes away between two pages of its list (10000 names), which the full pipe holds up
mkdir -p away/a away/b away-to/b
seq -f 'away/a/a long name, so that the pipe is full %g' 10100 | tr '\n' '\0' | xargs -0 touch
echo kept | tee away/b/file >away-to/b/file
mkfifo pipe
for new in none other; do
  roma sync --dry-run --delete away away-to >pipe 2>errors &
  pid=$!
  exec 4<pipe
  read -r _ <&4
  mv away gone
  [ $new = none ] || mkdir away
  cat <&4 >lines
  exec 4<&-
  wait $pid && fail "a source that went away was listed to its end"
  grep '^remove' lines && fail "a source that went away empties the destination"
  rm -rf away
  mv gone away
done
# A destination that cannot be listed: nothing is copied unseen.
mkdir -p blind-to/sub
echo x >blind-to/sub/file
chmod 600 blind-to/sub
denied sync away blind-to && fail "a list that is not whole is good enough"
[ "$(ls -A blind-to)" = sub ] || fail "copied without a comparison"
chmod 700 blind-to/sub

# A file takes the place of a link, and is not written through it.
mkdir -p links links-to
echo new >links/x
echo precious >precious
ln -s ../precious links-to/x
head -c 100000 /dev/urandom >big
cp links/x new
cp big links/x
(ulimit -f 10 && roma sync -q links links-to) 2>errors && fail "a file over a link, above the limit of its size"
[ "$(readlink links-to/x)" = ../precious ] || fail "a link is gone, and what was to take its place failed: $(cat errors)"
cp new links/x
told '1 copied, 0 the same, 0 removed' roma sync links links-to
[ "$(cat precious)" = precious ] || fail "a file was written through a link in the destination"
if [ -L links-to/x ] || [ "$(cat links-to/x)" != new ]; then fail "a link is no file after a sync"; fi

# A folder has the name of a link: it is not filled through it. Names in between, and more of them.
mkdir -p folder/x/deep folder/z folder-to outside
echo new | tee folder/x/file folder/x/deep/file folder/x.y >folder/z/file
ln -s ../outside folder-to/x
echo older >folder-to/x.y
echo old >folder-to/z
roma sync -q folder folder-to 2>errors && fail "a folder over a link, without --delete"
grep -q 'x in folder-to is no folder' errors || fail "a folder over a link: $(cat errors)"
[ -z "$(ls -A outside)" ] || fail "a folder was filled through a link"
if [ ! -L folder-to/x ] || [ ! -f folder-to/z ]; then fail "removed without --delete"; fi
[ "$(cat folder-to/x.y)" = new ] || fail "the others were left out too"
told '3 to be copied, 1 the same, 2 to be removed' roma sync --dry-run --delete folder folder-to
for jobs in 1 8; do
  told '3 copied, 1 the same, 2 removed' roma sync --delete -j $jobs folder folder-to
  diff -r folder folder-to || fail "folders over links"
  [ -z "$(ls -A outside)" ] || fail "a folder was filled through a link"
  rm -r folder-to/[xz]
  ln -s ../outside folder-to/x
  echo old >folder-to/z
done

# The other way round: a file has the name of a folder. It takes one run.
for jobs in 1 8; do
  rm -rf file file-to
  mkdir -p file file-to/x/deep file-to/x.d file-to/keep
  echo new | tee file/x file/x.d file/x-1 >file/x0
  ln -s x file/link
  echo old | tee file-to/x/file file-to/x/deep/file file-to/x.d/file file-to/x-0 >file-to/link
  roma sync -q file file-to 2>errors && fail "a file over a folder, without --delete"
  [ -d file-to/x/deep ] || fail "removed without --delete"
  roma sync --delete -j $jobs file file-to >lines || fail "a file over a folder: $(cat lines)"
  diff -r --no-dereference file file-to || fail "files over folders"
done

# Two names of one store: what is copied into itself would be copied for ever.
mkdir -p self/d/e
echo one >self/d/e/file
ln -s d self/link
printf '[same]\nuri = file://%s/self\n' "$SCRATCH" >roma.conf
export ROMA_CONFIG=$SCRATCH/roma.conf
for to in same:d same:d/new/er same:link self/link self/link/new "file://$SCRATCH/self/d"; do
  roma cp -q -r self/d "$to" 2>errors && fail "cp -r of a folder into itself, as $to"
  grep -qF 'into itself' errors || fail "cp -r into itself: $(cat errors)"
  roma put -q -r self/d "$to" 2>errors && fail "put -r of a folder into itself, as $to"
  roma sync -q self/d "$to" 2>errors && fail "sync of a folder into itself, as $to"
  grep -qF 'lies in the other' errors || fail "sync into itself: $(cat errors)"
done
roma mv -q self/d same:d/new 2>errors && fail "mv of a folder into itself"
[ "$(find self | wc -l)" = 5 ] || fail "a folder was copied into itself: $(find self)"
roma cp -q -r self/d same:other || fail "cp -r beside itself"
diff -r self/d self/other || fail "cp -r beside itself"
unset ROMA_CONFIG

# A source that can be read only in part: nothing is removed, and a copy of it says so.
mkdir -p part/sub part-to/sub
echo kept | tee part/sub/file >part-to/sub/file
chmod 600 part/sub
denied sync --delete part part-to && fail "a folder that cannot be searched is taken for an empty one"
[ -e part-to/sub/file ] || fail "a folder that cannot be searched has emptied the destination"
denied put -q -r part "file://$SCRATCH/part-copy" && fail "put -r has left out what it cannot see"
chmod 700 part/sub

[ -n "$ns" ] || skip "no MooseFS cluster"
export ROMA_MFS_NS=$ns
to=mfs://$ROMA_MFS_MASTER/sync-$$
sync_suite tree "$from" "$to"
rm -r tree/d3
echo new >tree/d4/new
told '1 copied, 941 the same, 59 removed' roma sync --delete "$from" "$to"
equal_to tree "$to"
# And back
roma sync -q "$to" "file://$SCRATCH/again" || fail "back"
diff -r tree again || fail "what came back differs"
told '0 copied, 942 the same, 0 removed' roma sync "$to" "file://$SCRATCH/again"
roma rm -r "$to" || fail "rm -r"
exit 0
