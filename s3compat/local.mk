# The store of S3 and its relatives. Nothing but the module is linked with libcurl and expat.
s3compat_sources = \
	s3compat/fields.c \
	s3compat/fields.h \
	s3compat/sign/encode.c \
	s3compat/sign/sign.c \
	s3compat/sign/sign.h \
	s3compat/sign/v2.c \
	s3compat/sign/v4.c

if S3COMPAT
noinst_LTLIBRARIES += libroma-s3.la
libroma_s3_la_SOURCES = $(s3compat_sources)

unit_tests += tests/unit/test-s3-sign
tests_unit_test_s3_sign_LDADD = $(s3_test_libs)
else
EXTRA_DIST += $(s3compat_sources) tests/unit/test-s3-sign.c
endif
s3_test_libs = $(test_libs) libroma-s3.la libroma-core.la $(CURL_LIBS) $(EXPAT_LIBS) $(CRYPTO_LIBS) $(CHECK_LIBS)

EXTRA_DIST += tests/s3-vectors
