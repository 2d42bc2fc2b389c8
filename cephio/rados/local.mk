# The encodings are pure: unit tests and fuzz targets take them without the libraries of Ceph.
noinst_LTLIBRARIES += librados-codec.la
librados_codec_la_SOURCES = \
	cephio/rados/codec.c \
	cephio/rados/codec.h

rados_sources = \
	cephio/rados/change.c \
	cephio/rados/conn.c \
	cephio/rados/error.c \
	cephio/rados/file.c \
	cephio/rados/gc.c \
	cephio/rados/gcmark.c \
	cephio/rados/head.c \
	cephio/rados/index.c \
	cephio/rados/job.c \
	cephio/rados/laid.c \
	cephio/rados/layout.c \
	cephio/rados/list.c \
	cephio/rados/names.c \
	cephio/rados/options.c \
	cephio/rados/page.c \
	cephio/rados/ping.c \
	cephio/rados/put.c \
	cephio/rados/rados.h \
	cephio/rados/raw.c \
	cephio/rados/raw.h \
	cephio/rados/rawfile.c \
	cephio/rados/rawwriter.c \
	cephio/rados/read.c \
	cephio/rados/req.c \
	cephio/rados/store.c

unit_tests += tests/unit/test-rados-codec
tests_unit_test_rados_codec_LDADD = librados-codec.la $(LDADD)

fuzz_targets += fuzz/fuzz-rados
fuzz_fuzz_rados_LDADD = librados-codec.la $(fuzz_ldadd)
