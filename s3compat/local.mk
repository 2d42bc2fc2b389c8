# The store of S3 and its relatives. Nothing but the module is linked with libcurl and expat.
s3compat_sources = \
	s3compat/answer.c \
	s3compat/attempt.c \
	s3compat/attr.c \
	s3compat/bucket.c \
	s3compat/copy.c \
	s3compat/crc.c \
	s3compat/crc.h \
	s3compat/creds.c \
	s3compat/creds.h \
	s3compat/drawn.c \
	s3compat/fields.c \
	s3compat/fields.h \
	s3compat/file.c \
	s3compat/file.h \
	s3compat/http.c \
	s3compat/http.h \
	s3compat/keys.c \
	s3compat/layout.c \
	s3compat/list.c \
	s3compat/module.h \
	s3compat/names.c \
	s3compat/open.c \
	s3compat/part.c \
	s3compat/part.h \
	s3compat/patience.c \
	s3compat/patience.h \
	s3compat/policy.c \
	s3compat/policy.h \
	s3compat/presign.c \
	s3compat/profile.c \
	s3compat/profile.h \
	s3compat/props.c \
	s3compat/redirect.c \
	s3compat/request.c \
	s3compat/sign/encode.c \
	s3compat/sign/sign.c \
	s3compat/sign/sign.h \
	s3compat/sign/v2.c \
	s3compat/sign/v4.c \
	s3compat/store.c \
	s3compat/store.h \
	s3compat/sums.c \
	s3compat/sums.h \
	s3compat/upload.c \
	s3compat/upload_part.c \
	s3compat/writer.c \
	s3compat/writer.h \
	s3compat/writer_commit.c \
	s3compat/writer_parts.c \
	s3compat/xml.c \
	s3compat/xml.h

if S3COMPAT
noinst_LTLIBRARIES += libroma-s3.la
libroma_s3_la_SOURCES = $(s3compat_sources)

module_LTLIBRARIES += s3compat.la
s3compat_la_SOURCES = s3compat/module.c
s3compat_la_LIBADD = libroma-s3.la libroma.la $(CURL_LIBS) $(EXPAT_LIBS) $(CRYPTO_LIBS)
# nodelete: libcurl may keep a thread for a name that is being looked up.
s3compat_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -no-undefined -export-symbols-regex '^roma_module$$' \
	-Wl,-z,nodelete

unit_tests += tests/unit/test-s3-sign tests/unit/test-s3-text
tests_unit_test_s3_sign_LDADD = $(s3_test_libs)
tests_unit_test_s3_text_LDADD = $(s3_test_libs)
else
EXTRA_DIST += $(s3compat_sources) s3compat/module.c tests/unit/test-s3-sign.c tests/unit/test-s3-text.c tests/s3/script-server.c
endif
s3_test_libs = $(test_libs) libroma-s3.la libroma-core.la $(CURL_LIBS) $(EXPAT_LIBS) $(CRYPTO_LIBS) $(CHECK_LIBS)

EXTRA_DIST += tests/s3-vectors

if S3COMPAT
fuzz_targets += fuzz/fuzz-s3
fuzz_fuzz_s3_LDADD = $(test_libs) libroma-s3.la libroma-core.la $(CURL_LIBS) $(EXPAT_LIBS) $(CRYPTO_LIBS) $(fuzz_engine)
endif
EXTRA_DIST += fuzz/fuzz-s3.c
