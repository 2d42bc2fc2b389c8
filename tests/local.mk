script_tests += \
	tests/headers.sh \
	tests/link.sh \
	tests/symbols.sh \
	tests/version.sh

EXTRA_DIST += tests/functions.sh

# headers.sh reads the list of public headers, link.sh and symbols.sh the library.
EXTRA_DIST += tests/link.c
