#!/bin/bash
# A library built with --enable-usdt has its probes, under the names and with the arguments that doc/using.md promises
# and examples/phases.bt uses, and each with a semaphore, without which a probe that nobody watches would read the clock.
set -u
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"
library=$BUILD_DIR/.libs/libroma.so
[ -e "$library" ] || skip "the shared library was not built (--disable-shared)"
requires readelf

# "PROVIDER:NAME ARGUMENTS, SEMAPHORE" of each place; a compiler may make two of one.
probes=$(LC_ALL=C readelf -n "$library" | awk '
  /Provider:/ { provider = $2 }
  /Name:/ { name = $2 }
  /Semaphore:/ { semaphore = $NF }
  /Arguments:/ { print provider ":" name, NF - 1 ",", semaphore ~ /^0x0+$/ ? "no semaphore" : "semaphore" }' | sort -u)
wanted='roma:op_end 6, semaphore
roma:op_start 3, semaphore
roma:phase_end 6, semaphore
roma:phase_start 2, semaphore'
[ "$probes" = "$wanted" ] || fail "the probes of $library are
${probes:-none}
and should be
$wanted"

# What the example and the page speak of is there.
named() {
  sed -n 's/^usdt:[$]1:\(roma:[a-z_]*\)$/\1/p' "$SRC_DIR/examples/phases.bt"
  sed -n 's/^| `\([a-z_]*\)(.*/roma:\1/p' "$SRC_DIR/doc/using.md"
}
[ "$(named | sort -u | wc -l)" = 4 ] || fail "doc/using.md does not have the four probes: $(named)"
for probe in $(named | sort -u); do
  grep -q "^$probe " <<<"$probes" || fail "examples/phases.bt or doc/using.md names $probe, which is not there"
done
