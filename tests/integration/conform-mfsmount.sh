#!/bin/bash
# The official client, mounted on the servers of `roma conform --serve`: its bytes are right, and it breaks no rule.
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"
requires mfsmount
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
cat >"$scratch/client" <<'END'
timeout 30 mfsmount -H "${ROMA_CONFORM_MASTER%:*}" -P "${ROMA_CONFORM_MASTER#*:}" "$scratch/at" >"$scratch/mount" 2>&1 || exit 1
trap 'cd /; umount "$scratch/at" || umount -l "$scratch/at"' EXIT
bash "$scratch/work" "$scratch/at" >"$scratch/there"
END

bash "$scratch/work" "$scratch/local" >"$scratch/here" || fail "the work cannot be done on a local folder"
timeout 300 "$ROMA" conform --json --serve -- bash "$scratch/client" >"$scratch/out" 2>"$scratch/err"
code=$?
[ $code = 0 ] || fail "exit code $code: $(cat "$scratch/out" "$scratch/err" "$scratch/mount")"
diff "$scratch/here" "$scratch/there" || fail "mfsmount on these servers reads other bytes"
grep -q '"writes":[1-9].*"findings":0' "$scratch/out" || fail "no write session was seen: $(cat "$scratch/out")"
