# Programs that the scripts of this folder run against a real MooseFS, through the public interface alone.
check_PROGRAMS += tests/integration/model
tests_integration_model_SOURCES = \
	tests/integration/common.c \
	tests/integration/common.h \
	tests/integration/model.c
tests_integration_model_LDADD = libroma.la
tests_integration_model_LDFLAGS = $(AM_LDFLAGS) -no-install

if MFSPROTO
check_PROGRAMS += tests/integration/interop
endif
tests_integration_interop_SOURCES = \
	tests/integration/common.c \
	tests/integration/common.h \
	tests/integration/interop.c \
	tests/integration/replicas.c
tests_integration_interop_LDADD = libroma.la
tests_integration_interop_LDFLAGS = $(AM_LDFLAGS) -no-install

check_PROGRAMS += tests/integration/lossy-link
tests_integration_lossy_link_SOURCES = tests/integration/lossy-link.c

EXTRA_DIST += \
	tests/integration/async-heartbeat.sh \
	tests/integration/async-pauses.sh \
	tests/integration/cluster.sh \
	tests/integration/conform-mfsmount.sh \
	tests/integration/conform.sh \
	tests/integration/diagnose.sh \
	tests/integration/functions.sh \
	tests/integration/interop-large.sh \
	tests/integration/interop-mfsmount.sh \
	tests/integration/interop-repeat.sh \
	tests/integration/model.sh \
	tests/integration/quickstart.sh \
	tests/integration/mixes.sh \
	tests/integration/salvage.sh \
	tests/integration/torture.sh \
	tests/integration/wire-clean.sh \
	tests/integration/wrong-client.sh
