script_tests += \
	tests/chunkfile.sh \
	tests/conformance-page.sh \
	tests/doc-options.sh \
	tests/headers.sh \
	tests/link.sh \
	tests/module.sh \
	tests/parts-served.sh \
	tests/salvage-served.sh \
	tests/serve-clients.sh \
	tests/symbols.sh \
	tests/version.sh

if USDT
script_tests += tests/usdt.sh
endif
EXTRA_DIST += tests/usdt.sh

EXTRA_DIST += tests/functions.sh tests/mounted-functions.sh tests/sync.sh tests/uploads.sh

# headers.sh reads the list of public headers, link.sh and symbols.sh the library.
EXTRA_DIST += tests/link.c

# tests/integration/limits.sh: how much memory things take.
check_PROGRAMS += tests/integration/peak tests/integration/cycles
tests_integration_peak_SOURCES = tests/integration/peak.c
tests_integration_peak_LDADD =
tests_integration_cycles_SOURCES = tests/integration/cycles.c
tests_integration_cycles_LDADD = libroma.la
EXTRA_DIST += tests/integration/limits.sh tests/integration/small.c
