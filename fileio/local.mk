fileio_sources = \
	fileio/attr.c \
	fileio/data.c \
	fileio/file.c \
	fileio/fileio.h \
	fileio/job.c \
	fileio/names.c \
	fileio/order.c \
	fileio/readdir.c \
	fileio/root.c \
	fileio/source.c \
	fileio/store.c \
	fileio/stream.c

unit_tests += tests/unit/test-fileio tests/unit/test-fileio-faults
tests_unit_test_fileio_faults_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=fsync,--wrap=pthread_create,--wrap=pwrite64,--wrap=renameat
EXTRA_DIST += tests/unit/folder.h
