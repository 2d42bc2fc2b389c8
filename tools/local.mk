# The program roma sees the library as any other program does: public headers only.

# What can be concluded from checksum tables and blocks: no input, no output, linked by the program, unit tests and a fuzz
# target.
diagnose_sources = \
	tools/diagnose/bytes.c \
	tools/diagnose/cause.c \
	tools/diagnose/chunkfile.c \
	tools/diagnose/crc.c \
	tools/diagnose/diagnose.h \
	tools/diagnose/mix.c \
	tools/diagnose/part.c \
	tools/diagnose/picture.c \
	tools/diagnose/rebuild.c \
	tools/diagnose/table.c \
	tools/diagnose/vote.c

unit_tests += tests/unit/test-diagnose
tests_unit_test_diagnose_SOURCES = tests/unit/test-diagnose.c $(diagnose_sources)
tests_unit_test_diagnose_LDADD = $(LDADD) $(DEFLATE_LIBS)

unit_tests += tests/unit/test-rebuild
tests_unit_test_rebuild_SOURCES = tests/unit/test-rebuild.c $(diagnose_sources)
tests_unit_test_rebuild_LDADD = $(LDADD) $(DEFLATE_LIBS)

fuzz_targets += fuzz/fuzz-chunkfile
fuzz_fuzz_chunkfile_SOURCES = fuzz/fuzz-chunkfile.c $(diagnose_sources)
fuzz_fuzz_chunkfile_LDADD = $(fuzz_ldadd) $(DEFLATE_LIBS)

if TOOLS
bin_PROGRAMS += roma
roma_SOURCES = $(diagnose_sources) \
	tools/attrs.c \
	tools/capture.c \
	tools/frame-time.h \
	tools/chore.c \
	tools/cmd-cat.c \
	tools/cmd-chunkfile.c \
	tools/cmd-chunks.c \
	tools/cmd-conform.c \
	tools/cmd-cp.c \
	tools/cmd-diagnose.c \
	tools/cmd-gc.c \
	tools/cmd-get.c \
	tools/cmd-hash.c \
	tools/cmd-help.c \
	tools/cmd-ls.c \
	tools/cmd-mb.c \
	tools/cmd-mkdir.c \
	tools/cmd-mv.c \
	tools/cmd-ping.c \
	tools/cmd-presign.c \
	tools/cmd-put.c \
	tools/cmd-rm.c \
	tools/cmd-salvage.c \
	tools/cmd-stat.c \
	tools/cmd-sync.c \
	tools/cmd-upload.c \
	tools/cmd-version.c \
	tools/cmd-wire.c \
	tools/coded.c \
	tools/coded.h \
	tools/commands.c \
	tools/content.c \
	tools/content.h \
	tools/examine.c \
	tools/examine.h \
	tools/findings.c \
	tools/flight.c \
	tools/folders.c \
	tools/inside.c \
	tools/inspect.c \
	tools/inspect.h \
	tools/kept.c \
	tools/location.c \
	tools/look.c \
	tools/look.h \
	tools/memory.c \
	tools/mix.c \
	tools/mix.h \
	tools/names.c \
	tools/options.c \
	tools/original.c \
	tools/output.c \
	tools/pieces.c \
	tools/pieces.h \
	tools/place.c \
	tools/pool.c \
	tools/progress.c \
	tools/refine.c \
	tools/report.c \
	tools/resume.c \
	tools/roma.c \
	tools/serve.c \
	tools/signals.c \
	tools/sink.c \
	tools/target.c \
	tools/timing.c \
	tools/tool.h \
	tools/trace-file.c \
	tools/transfer.c \
	tools/tree.c \
	tools/units.c \
	tools/walk.c
roma_LDADD = libroma.la $(JANSSON_LIBS) $(DEFLATE_LIBS) $(CRYPTO_LIBS) $(PCAP_LIBS)

dist_man_MANS = doc/roma.1
endif

EXTRA_DIST += \
	doc/roma.md \
	doc/using.md \
	tests/contract/tools-faults.sh \
	tests/contract/tools-interrupt.sh \
	tests/contract/tools-names.sh \
	tests/contract/tools-transfer.sh \
	tests/integration/tools-mfs.sh \
	tests/integration/tools-once.sh \
	tests/tools-functions.sh
