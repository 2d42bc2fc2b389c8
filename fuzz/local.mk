# A target fuzz/fuzz-x reads fuzz/fuzz-x.c (LLVMFuzzerTestOneInput) and says `fuzz_fuzz_x_LDADD = $(fuzz_ldadd)`;
# its corpus is the folder fuzz/corpus/fuzz-x. With --enable-fuzzing libFuzzer drives it, otherwise fuzz/replay.c
# does, and `make check` replays the corpora with any compiler.
if FUZZING
fuzz_engine = $(FUZZ_ENGINE)
else
fuzz_engine = fuzz/libreplay.a
endif
fuzz_ldadd = $(test_libs) libroma-core.la $(fuzz_engine)

check_LIBRARIES += fuzz/libreplay.a
fuzz_libreplay_a_SOURCES = fuzz/replay.c

if FUZZ
script_tests += fuzz/replay.sh
endif
EXTRA_DIST += fuzz/replay.sh fuzz/coverage.sh fuzz/corpus

fuzz_targets += fuzz/fuzz-uri
fuzz_fuzz_uri_LDADD = $(fuzz_ldadd)

fuzz_targets += fuzz/fuzz-config
fuzz_fuzz_config_LDADD = $(fuzz_ldadd)

if PCAP
fuzz_targets += fuzz/fuzz-capture
fuzz_fuzz_capture_SOURCES = fuzz/fuzz-capture.c
fuzz_fuzz_capture_LDADD = $(fuzz_ldadd) $(PCAP_LIBS)
script_tests += tests/wire-captures.sh
else
EXTRA_DIST += tests/wire-captures.sh
endif
