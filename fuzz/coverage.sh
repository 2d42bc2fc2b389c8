#!/bin/bash
# How much of mfsproto's decoders the committed corpora reach, by lines: fuzz/coverage.sh [--lines FILE...]
# Needs clang and llvm. Builds in _build-coverage, replays each corpus once, prints a table; fails when the corpora
# reach 90 % or less of the decoders' lines. --lines prints which lines of these files are not reached.
set -eu
src=$(cd "$(dirname "$0")/.." && pwd -P)
build=$src/_build-coverage
floor=90

find_tool() {
  local found
  found=$(compgen -c "$1" | grep -xE "$1(-[0-9]+)?" | sort -V | tail -n 1)
  [ -n "$found" ] || { echo "$1 is missing: apt-get install clang llvm" >&2 && return 1; }
  echo "$found"
}

profdata=$(find_tool llvm-profdata)
cov=$(find_tool llvm-cov)

"$src/tests/build" "$build" "libroma-core.la" CC=clang CFLAGS="-g -O0 -fprofile-instr-generate -fcoverage-mapping" \
  LDFLAGS=-fprofile-instr-generate >"$build.log" 2>&1 || { tail -n 20 "$build.log" >&2 && exit 1; }
mapfile -t targets < <(make -s -C "$build" list-fuzz-targets)
make -C "$build" -j"${JOBS:-$(nproc)}" "${targets[@]}" >>"$build.log" 2>&1 || { tail -n 20 "$build.log" >&2 && exit 1; }

cd "$build"
rm -f fuzz/*.profraw
objects=()
for target in "${targets[@]}"; do
  LLVM_PROFILE_FILE=$build/$target.profraw "./$target" "$src/fuzz/corpus/$(basename "$target")" >&2
  objects+=(${objects[0]+-object} "./$target")
done
"$profdata" merge -sparse fuzz/*.profraw -o fuzz/corpora.profdata

# The names of the sources are written as the compiler got them: with ../ when make has run configure again.
"$cov" export -format=lcov -instr-profile=fuzz/corpora.profdata "${objects[@]}" >fuzz/corpora.lcov

if [ "${1:-}" = --lines ]; then
  shift
  for file; do
    awk -F '[:,]' -v file="/$file" '/^SF:/ { in_it = substr($0, length($0) - length(file) + 1) == file }
      /^DA:/ && in_it && $3 == 0 { print $2 }' fuzz/corpora.lcov | sort -nu |
      while read -r line; do echo "$file:$line:$(sed -n "${line}p" "$src/$file")"; done
  done
  exit 0
fi

# lines FOLDER: "file lines reached" for each source of the folder.
lines() {
  awk -F: -v folder="$1/" '
    /^SF:/ { file = ""; if (match($0, folder "[a-z_]*[.]c$")) file = substr($0, RSTART) }
    /^LF:/ { of[file] += $2 }
    /^LH:/ { hit[file] += $2 }
    END { for (file in of) if (file) print file, of[file], hit[file] }' fuzz/corpora.lcov | sort
}

table() {
  awk '{ lines += $2; hit += $3; printf "%-36s %6d of %6d lines  %5.1f %%\n", $1, $3, $2, 100 * $3 / $2 }
       END { printf "%-36s %6d of %6d lines  %5.1f %%\n\n", "together", hit, lines, 100 * hit / lines }'
}

# What reads foreign bytes and text; encode.c and table.c (most of it a check of the table, for a unit test) do not.
decoders() { lines mfsproto/wire | grep -vE '/(encode|table|packets_[a-z]*)\.c '; }

decoders | table
for folder in mfsproto/wire mfsproto/session mfsproto/chunk mfsproto/store; do
  lines $folder | table | tail -n 2 | sed -n "s|together   *|all of $folder: |p"
done
decoders | awk -v floor=$floor '{ lines += $2; hit += $3 } END { exit !(100 * hit > floor * lines) }' || {
  echo "the corpora reach $floor % or less of the decoders' lines: add inputs (fuzz/gen-wire-seeds.c)"
  exit 1
}
