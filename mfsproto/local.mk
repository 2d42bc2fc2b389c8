# Files listed inside the condition are left out by --disable-mfsproto, with their tests and fuzz targets.
mfsproto_sources =
if MFSPROTO
mfsproto_sources += \
	mfsproto/audit/grants.c \
	mfsproto/audit/held.c \
	mfsproto/audit/inner.h \
	mfsproto/audit/link.c \
	mfsproto/audit/rules.c \
	mfsproto/audit/stream.c \
	mfsproto/audit/talk.c \
	mfsproto/audit/tcp.c \
	mfsproto/audit/wire.c \
	mfsproto/chunk/chunk.h \
	mfsproto/chunk/data.c \
	mfsproto/chunk/drain.c \
	mfsproto/chunk/ender.c \
	mfsproto/chunk/ending.c \
	mfsproto/chunk/inner.h \
	mfsproto/chunk/inode.c \
	mfsproto/chunk/iov.c \
	mfsproto/chunk/locate.c \
	mfsproto/chunk/piece.c \
	mfsproto/chunk/pool.c \
	mfsproto/chunk/pool.h \
	mfsproto/chunk/pread.c \
	mfsproto/chunk/pwrite.c \
	mfsproto/chunk/reads.h \
	mfsproto/chunk/rjob.c \
	mfsproto/chunk/truncate.c \
	mfsproto/chunk/wcalls.c \
	mfsproto/chunk/writer.c \
	mfsproto/chunk/wsession.c \
	mfsproto/conform/checks-attrs.c \
	mfsproto/conform/checks-chunk.c \
	mfsproto/conform/checks-diagnose.c \
	mfsproto/conform/checks-frame.c \
	mfsproto/conform/checks-gates.c \
	mfsproto/conform/checks-info.c \
	mfsproto/conform/checks-length.c \
	mfsproto/conform/checks-locks.c \
	mfsproto/conform/checks-names.c \
	mfsproto/conform/checks-read.c \
	mfsproto/conform/checks-session.c \
	mfsproto/conform/checks-tree.c \
	mfsproto/conform/checks-write.c \
	mfsproto/conform/checks.h \
	mfsproto/conform/chunk.c \
	mfsproto/conform/client.c \
	mfsproto/conform/inner.h \
	mfsproto/conform/lengths.def \
	mfsproto/conform/link.c \
	mfsproto/conform/run.c \
	mfsproto/conform/say.c \
	mfsproto/resolve.c \
	mfsproto/resolve.h \
	mfsproto/session/bulk.c \
	mfsproto/session/calls.c \
	mfsproto/session/duties.c \
	mfsproto/session/link.c \
	mfsproto/session/link.h \
	mfsproto/session/login.c \
	mfsproto/session/machine.c \
	mfsproto/session/private.h \
	mfsproto/session/session.h \
	mfsproto/session/status.c \
	mfsproto/store/concat.c \
	mfsproto/store/dirs.c \
	mfsproto/store/file.c \
	mfsproto/store/inspect.c \
	mfsproto/store/links.c \
	mfsproto/store/names.c \
	mfsproto/store/query.c \
	mfsproto/store/query.h \
	mfsproto/store/readdir.c \
	mfsproto/store/replica.c \
	mfsproto/store/req.c \
	mfsproto/store/space.c \
	mfsproto/store/store.c \
	mfsproto/store/store.h \
	mfsproto/store/trash.c \
	mfsproto/store/verify.c \
	mfsproto/store/walk.c \
	mfsproto/sys.c \
	mfsproto/sys.h \
	mfsproto/transport.h \
	mfsproto/transport_tcp.c \
	mfsproto/wire/decode.c \
	mfsproto/wire/encode.c \
	mfsproto/wire/fields.def \
	mfsproto/wire/fields.h \
	mfsproto/wire/forms.c \
	mfsproto/wire/forms.def \
	mfsproto/wire/frame.c \
	mfsproto/wire/hint.c \
	mfsproto/wire/msg.c \
	mfsproto/wire/numbers.h \
	mfsproto/wire/packets_chunkio.c \
	mfsproto/wire/packets_info.c \
	mfsproto/wire/packets_namespace.c \
	mfsproto/wire/packets_sclass.c \
	mfsproto/wire/packets_session.c \
	mfsproto/wire/packets_tree.c \
	mfsproto/wire/print.c \
	mfsproto/wire/readdir.c \
	mfsproto/wire/status.c \
	mfsproto/wire/table.c \
	mfsproto/wire/table.h \
	mfsproto/wire/version.c \
	mfsproto/wire/version.h \
	mfsproto/wire/wire.h

unit_tests += \
	tests/unit/test-mfs-lost \
	tests/unit/test-mfs-sockets \
	tests/unit/test-mfs-verify \
	tests/unit/test-session \
	tests/unit/test-wire-audit \
	tests/unit/test-wire-golden \
	tests/unit/test-wire-random \
	tests/unit/test-wire-recorded \
	tests/unit/test-wire-stream
long_tests += tests/unit/test-chunk
tests_unit_test_chunk_SOURCES = \
	tests/unit/mfs-sim.c \
	tests/unit/mfs-sim.h \
	tests/unit/test-chunk.c
tests_unit_test_mfs_lost_LDADD = libroma-peer.la $(LDADD)
tests_unit_test_mfs_verify_LDADD = libroma-peer.la $(LDADD)
tests_unit_test_mfs_sockets_LDADD = libroma-peer.la $(LDADD)
tests_unit_test_session_SOURCES = \
	tests/unit/mfs-double.c \
	tests/unit/mfs-double.h \
	tests/unit/test-session.c
tests_unit_test_wire_random_SOURCES = \
	tests/unit/test-wire-random.c \
	tests/unit/wire-random.c \
	tests/unit/wire-random.h

# The tables of doc/moosefs-protocol.md.
check_PROGRAMS += tests/protocol-page
tests_protocol_page_SOURCES = tests/protocol-page.c
tests_protocol_page_LDADD = $(test_libs) libroma-core.la
script_tests += tests/protocol-page.sh

# A client that corrupts files, run by tests/integration/wrong-client.sh and by what finds such files.
check_PROGRAMS += tests/integration/wrong-client
tests_integration_wrong_client_SOURCES = \
	tests/integration/wrong-client.c \
	tests/unit/raw-client.c \
	tests/unit/raw-client.h
tests_integration_wrong_client_LDADD = $(test_libs) libroma-core.la

fuzz_targets += fuzz/fuzz-wire
fuzz_fuzz_wire_SOURCES = fuzz/fuzz-wire.c fuzz/wire-input.h fuzz/wire-rebuild.c fuzz/wire-rebuild.h
fuzz_fuzz_wire_LDADD = $(fuzz_ldadd)

# Makes the seeds in fuzz/corpus/fuzz-wire; not part of any build.
EXTRA_PROGRAMS += fuzz/gen-wire-seeds
fuzz_gen_wire_seeds_SOURCES = \
	fuzz/gen-wire-seeds.c \
	fuzz/wire-input.h \
	tests/unit/wire-random.c \
	tests/unit/wire-random.h
CLEANFILES += fuzz/gen-wire-seeds

include mfsproto/peer/local.mk
else
mfsproto_sources += mfsproto/absent.c
endif
