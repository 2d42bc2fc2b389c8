#!/bin/bash
# The version in include/roma/version.h is the one of configure.ac.
set -u
header=$SRC_DIR/include/roma/version.h
configured=$(sed -n 's/^AC_INIT(\[libroma\], \[\(.*\)\])$/\1/p' "$SRC_DIR/configure.ac")
number() { awk -v name="$1" '$1 == "#define" && $2 == name { print $3 }' "$header"; }
numbers=$(number ROMA_VERSION_MAJOR).$(number ROMA_VERSION_MINOR).$(number ROMA_VERSION_PATCH)
string=$(number ROMA_VERSION_STRING)
if [ -z "$configured" ] || [ "$numbers" != "$configured" ] || [ "$string" != "\"$configured\"" ]; then
  echo "FAIL: configure.ac has '$configured', version.h has $numbers and $string"
  exit 1
fi
