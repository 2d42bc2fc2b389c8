# One program for all stores, through the public interface alone; the scripts beside it run it on each kind of store.
check_PROGRAMS += tests/contract/contract
tests_contract_contract_SOURCES = \
	tests/contract/async.c \
	tests/contract/calls.c \
	tests/contract/cancel.c \
	tests/contract/check.c \
	tests/contract/check.h \
	tests/contract/closing.c \
	tests/contract/contract.c \
	tests/contract/env.c \
	tests/contract/env.h \
	tests/contract/errors.c \
	tests/contract/files.c \
	tests/contract/inplace.c \
	tests/contract/keys.c \
	tests/contract/lists.c \
	tests/contract/local.c \
	tests/contract/names.c \
	tests/contract/streams.c \
	tests/contract/transfers.c \
	tests/contract/uploads.c \
	tests/contract/writers.c
tests_contract_contract_LDADD = libroma.la $(EV_LIBS) $(CRYPTO_LIBS)
tests_contract_contract_LDFLAGS = $(AM_LDFLAGS) -no-install

# Uploads, each step killed, and uploads of very many parts.
check_PROGRAMS += tests/contract/upload-kills tests/contract/upload-many
tests_contract_upload_kills_LDADD = libroma.la
tests_contract_upload_kills_LDFLAGS = $(AM_LDFLAGS) -no-install
tests_contract_upload_many_LDADD = libroma.la
tests_contract_upload_many_LDFLAGS = $(AM_LDFLAGS) -no-install

EXTRA_DIST += \
	tests/contract/async.sh \
	tests/contract/fileio.sh \
	tests/contract/mfs.sh \
	tests/contract/sync.sh \
	tests/contract/uploads.sh
