#!/bin/bash
# Many repetitions under CPU load with two and three copies, and two readers polling a name while it is overwritten.
# REPETITIONS (200) can be lowered for a quick look.
# timeout: 900
set -u -o pipefail
# shellcheck source=tests/integration/functions.sh
. "$SRC_DIR/tests/integration/functions.sh"

repetitions=${REPETITIONS:-200}
seed=${SEED:-$RANDOM$RANDOM}
echo "seed $seed"

# Load on every core, weaker than the servers so that they still get on; it ends by itself in any case.
load=()
for _ in $(seq "$(nproc)"); do
  nice -n 5 timeout 800 bash -c 'while :; do :; done' &
  load+=($!)
done
end() {
  kill "${load[@]}" 2>/dev/null
  wait "${load[@]}" 2>/dev/null
  remove_mounted
}
trap end EXIT

for copies in 2 3; do
  mkdir "$mounted/$copies"
  goal $copies "$mounted/$copies"
  inside "$interop" repeat "$uri" "$name/$copies/file" "$mounted/$copies/file" "$repetitions" $((seed + copies)) $copies \
    "$scratch/expected" || fail "$copies copies"
done

# The replaced file stays in the trash for a while, as on every cluster that is not a test: mfsmount looks a name up
# and opens the inode in a second step.
mkdir "$mounted/poll"
goal 2 "$mounted/poll"
inside mfssettrashtime 3600 "$mounted/poll" >/dev/null || fail "mfssettrashtime"
inside "$interop" poll "$uri" "$name/poll/file" "$mounted/poll/file" 100 "$seed" || fail "readers during overwrites"
