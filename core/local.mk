core_sources = \
	core/version.c

unit_tests += \
	tests/unit/test-version
