# A master and chunkservers, for tests and for `roma conform --serve`. Tests link it beside libroma-core.la.
noinst_LTLIBRARIES += libroma-peer.la
peer_libs = libroma-peer.la
libroma_peer_la_CFLAGS = $(AM_CFLAGS) -fvisibility=default -fno-semantic-interposition
libroma_peer_la_SOURCES = \
	mfsproto/peer/acl.c \
	mfsproto/peer/audit.c \
	mfsproto/peer/call.h \
	mfsproto/peer/care.c \
	mfsproto/peer/chunks.c \
	mfsproto/peer/conn.c \
	mfsproto/peer/copy.c \
	mfsproto/peer/cs.c \
	mfsproto/peer/cswrite.c \
	mfsproto/peer/emit.c \
	mfsproto/peer/info.c \
	mfsproto/peer/inner.h \
	mfsproto/peer/iochunk.c \
	mfsproto/peer/locks.c \
	mfsproto/peer/look.c \
	mfsproto/peer/master.c \
	mfsproto/peer/names.c \
	mfsproto/peer/nodes.c \
	mfsproto/peer/parts.c \
	mfsproto/peer/peer.c \
	mfsproto/peer/peer.h \
	mfsproto/peer/script.c \
	mfsproto/peer/serve.c \
	mfsproto/peer/sessions.c \
	mfsproto/peer/tools.c \
	mfsproto/peer/tree.c \
	mfsproto/peer/xattr.c

unit_tests += tests/unit/test-peer
tests_unit_test_peer_SOURCES = \
	tests/unit/raw-check.c \
	tests/unit/raw-client.c \
	tests/unit/raw-client.h \
	tests/unit/test-peer.c
tests_unit_test_peer_LDADD = libroma-peer.la $(LDADD)

unit_tests += tests/unit/test-mfs-peer
tests_unit_test_mfs_peer_LDADD = libroma-peer.la $(LDADD)

long_tests += tests/unit/test-conform
tests_unit_test_conform_LDADD = libroma-peer.la $(LDADD)

# Servers with one file and faults on their disks, for scripts.
check_PROGRAMS += tests/faults/peer-file
tests_faults_peer_file_LDADD = libroma-peer.la $(LDADD)
script_tests += tests/damaged-copies.sh tests/salvage-names.sh

# Run by tests/faults/peer-matrix.sh.
check_PROGRAMS += tests/faults/peer-matrix
tests_faults_peer_matrix_LDADD = libroma-peer.la $(LDADD)
EXTRA_DIST += tests/faults/peer-matrix.sh

fuzz_targets += fuzz/fuzz-peer
fuzz_fuzz_peer_LDADD = libroma-peer.la $(fuzz_ldadd)

# It is client and servers on one thread, and bends what they say to each other.
fuzz_targets += fuzz/fuzz-conform
fuzz_fuzz_conform_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime -Wl,--wrap=connect -Wl,--wrap=poll -Wl,--wrap=recv \
	-Wl,--wrap=send -Wl,--wrap=close -Wl,--wrap=getrandom
fuzz_fuzz_conform_LDADD = libroma-peer.la $(fuzz_ldadd)

fuzz_targets += fuzz/fuzz-session
fuzz_fuzz_session_SOURCES = fuzz/fuzz-session.c fuzz/session-play.c fuzz/session-play.h
fuzz_fuzz_session_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime
fuzz_fuzz_session_LDADD = $(fuzz_ldadd)

# Records the seeds in fuzz/corpus/fuzz-session; not part of any build.
EXTRA_PROGRAMS += fuzz/gen-session-seeds
fuzz_gen_session_seeds_SOURCES = fuzz/gen-session-seeds.c fuzz/session-play.c fuzz/session-play.h
fuzz_gen_session_seeds_LDADD = libroma-peer.la $(test_libs) libroma-core.la
CLEANFILES += fuzz/gen-session-seeds
