#!/bin/bash
# The official client, mounted on the servers of `roma conform --serve`: its bytes are right, it breaks no rule, and its tools
# say what they say on real servers.
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"
requires mfsmount mfsmakesnapshot setfacl setfattr
[ -n "$("$ROMA" conform --list)" ] || skip "this roma was built without MooseFS"

mkdir "$scratch/at" "$scratch/local"
head -c 3000000 /dev/urandom >"$scratch/data"
export scratch

# The same in two folders, a mounted one and a local one. A command that hangs ends the test, not the machine.
cat >"$scratch/work" <<'END'
set -e
cd "$1"
timeout 60 cp "$scratch/data" x
timeout 60 dd if="$scratch/data" of=y bs=7777 count=100 conv=notrunc status=none
timeout 60 dd if="$scratch/data" of=y bs=1000 count=20 seek=33 conv=notrunc status=none
echo "at the end" | timeout 60 tee -a y >/dev/null
timeout 60 truncate -s 100000 y
timeout 60 truncate -s 200000 y
timeout 60 mv x z
timeout 60 ln -s z link
timeout 60 mkdir folder
timeout 60 cp y folder/copy
timeout 60 md5sum y z link folder/copy
timeout 60 rm y
timeout 60 ls
END
# What else a mount and the tools beside it ask for. It prints what they say.
cat >"$scratch/tools" <<'END'
cd "$1" || exit 1
umask 022
run() { echo "\$ $*"; timeout 60 "$@" 2>&1 | sed "s,$PWD,TOP,g"; }
cp "$scratch/data" y
mkdir acl folder folder/in
cp y folder/in/copy
ln -s y folder/link
echo hello >acl/f
run setfacl -m u:1234:rw,g:55:r acl/f
run getfacl -cn acl/f
run stat -c %a acl/f
chmod 640 acl/f
run getfacl -cn acl/f
run setfacl -d -m u:1234:rwx acl
mkdir acl/sub
echo x >acl/sub/g
run getfacl -cn acl acl/sub acl/sub/g
run stat -c %a acl/sub acl/sub/g
run setfacl -b acl/f
run setfacl -k acl
run getfacl -cn acl acl/f
run setfattr -n user.one -v 1 y
run getfattr -d y
run setfattr -x user.one y
run getfattr -d y
run mfsmakesnapshot y snap
printf changed | dd of=y conv=notrunc status=none
cmp "$scratch/data" snap
run mfsmakesnapshot y snap
cmp "$scratch/data" snap
run mfsmakesnapshot -o y snap
run cmp y snap
run mfsgeteattr snap
run mfsmakesnapshot folder foldersnap
run diff -r folder foldersnap
run mfsmakesnapshot folder folder/in
run mfsrmsnapshot snap
run mfsappendchunks joined y folder/in/copy
run stat -c %s joined
tail -c +67108865 joined | cmp - folder/in/copy
run mfssetgoal 2 folder
run mfsgetgoal -r folder
run mfssettrashtime 7200 y
run mfsgettrashtime y
run mfsseteattr -f noattrcache y
run mfsgeteattr y
run mfsdirinfo folder
run mfscheckfile folder/in/copy
run mfsgetquota folder
run mfsfilerepair y
run mfsfilerepair folder
run mfschkarchive y folder
run mfssetarchive y
run mfssetarchive folder
run mfschkarchive y folder
printf more | dd of=y conv=notrunc status=none
run mfsmakesnapshot y archived
run mfschkarchive y archived
printf changed | dd of=archived conv=notrunc status=none
run mfschkarchive y archived
run mfsclrarchive y
run mfschkarchive y
run ls
END
cat >"$scratch/client" <<'END'
timeout 30 mfsmount -H "${ROMA_CONFORM_MASTER%:*}" -P "${ROMA_CONFORM_MASTER#*:}" "$scratch/at" >"$scratch/mount" 2>&1 || exit 1
trap 'cd /; umount "$scratch/at" || umount -l "$scratch/at"' EXIT
bash "$scratch/work" "$scratch/at" >"$scratch/there"
mkdir "$scratch/at/tools"
mfssetgoal 2 "$scratch/at/tools" >/dev/null
bash "$scratch/tools" "$scratch/at/tools" >"$scratch/tools.there" 2>&1
END

bash "$scratch/work" "$scratch/local" >"$scratch/here" || fail "the work cannot be done on a local folder"
mkdir "$mounted/tools" || fail "mkdir $mounted/tools"
goal 2 "$mounted/tools"
inside env scratch="$scratch" bash "$scratch/tools" "$mounted/tools" >"$scratch/tools.here" 2>&1
timeout 300 "$ROMA" conform --json --serve -- bash "$scratch/client" >"$scratch/out" 2>"$scratch/err"
code=$?
[ $code = 0 ] || fail "exit code $code: $(cat "$scratch/out" "$scratch/err" "$scratch/mount")"
diff "$scratch/here" "$scratch/there" || fail "mfsmount on these servers reads other bytes"
grep -q '"writes":[1-9].*"findings":0' "$scratch/out" || fail "no write session was seen: $(cat "$scratch/out")"
# mfscheckfile counts copies in the way of the master's version, and these servers are a 3.0.117.
sed -i -E 's/^2 full copies \(redundancy level: 1\): +1$/ chunks with 2 copies:            1/' "$scratch/tools.here"
diff "$scratch/tools.here" "$scratch/tools.there" || fail "on these servers the tools do not do what they do on real ones"
