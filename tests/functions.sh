# shellcheck shell=bash
# Sourced by the test scripts: . "$SRC_DIR/tests/functions.sh". They exit 0 for a pass, 77 for a skip (the reason is
# the last line they print) and anything else for a failure.

fail() {
  printf 'FAIL: %s\n' "$*"
  exit 1
}

skip() {
  printf '%s\n' "$*"
  exit 77
}

# requires PROGRAM...: skips when one of them is not installed.
requires() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null 2>&1 || skip "$program is not installed"
  done
}

# roma ARGUMENT...: the program, inside the namespace of the cluster when there is one; absolute paths only. Started
# in the background it can be interrupted (bash makes such a command ignore SIGINT), and $! is the program itself.
roma() {
  # shellcheck disable=SC2086 # ROMA_MFS_NS holds words
  exec_or_run ${ROMA_MFS_NS:-} env --default-signal=INT "$ROMA" "$@"
}

# In a subshell (a background command, a pipe) the process is replaced.
exec_or_run() {
  if [ "$BASHPID" != $$ ]; then exec "$@"; else "$@"; fi
}

# in_cluster COMMAND...: runs it in the namespace of the cluster, where mfssetsclass and its like must run.
in_cluster() {
  # shellcheck disable=SC2086
  exec_or_run ${ROMA_MFS_NS:-} "$@"
}

# cluster VERB ...: the script that starts clusters; without --name the shared one.
cluster() { "$SRC_DIR/tests/cluster/mfs" "$@"; }

# random_file PATH BYTES: the same bytes for the same $SEED, fast.
random_file() {
  head -c "$2" < <(openssl enc -aes-128-ctr -pass "pass:${SEED:=$(date +%s)}" -nosalt </dev/zero 2>/dev/null) >"$1" ||
    fail "cannot write $1"
}
