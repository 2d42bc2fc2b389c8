core_sources = \
	core/config.c \
	core/config.h \
	core/config_file.c \
	core/config_store.c \
	core/crc.c \
	core/crc.h \
	core/digest.c \
	core/digest.h \
	core/heap.c \
	core/heap.h \
	core/hosts.c \
	core/hosts.h \
	core/list.h \
	core/map.c \
	core/map.h \
	core/str.c \
	core/str.h \
	core/uri.c \
	core/uri.h \
	core/uri_format.c \
	core/uri_opt.c \
	core/value.c \
	core/value.h \
	core/version.c

unit_tests += \
	tests/unit/test-config \
	tests/unit/test-crc \
	tests/unit/test-digest \
	tests/unit/test-heap \
	tests/unit/test-map \
	tests/unit/test-str \
	tests/unit/test-uri \
	tests/unit/test-version
