# shellcheck shell=bash
# Sourced by the test scripts. They exit 0 for a pass, 77 for a skip (the reason is the last line they print) and
# anything else for a failure.

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
