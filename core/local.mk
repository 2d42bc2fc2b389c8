core_sources = \
	core/backend.h \
	core/block.c \
	core/buf.c \
	core/buf.h \
	core/compose.h \
	core/config.c \
	core/config.h \
	core/config_file.c \
	core/config_load.c \
	core/config_store.c \
	core/crc.c \
	core/crc.h \
	core/whole.c \
	core/whole.h \
	core/digest.c \
	core/digest.h \
	core/file.c \
	core/hash.c \
	core/gc.c \
	core/digester.h \
	core/digester.c \
	core/copy.h \
	core/copy.c \
	core/reader.h \
	core/presign.c \
	core/probe.h \
	core/props.c \
	core/props.h \
	core/put.c \
	core/reader.c \
	core/file_reader.c \
	core/heap.c \
	core/heap.h \
	core/layout.c \
	core/layout.h \
	core/hosts.c \
	core/hosts.h \
	core/folder_open.c \
	core/folder_writer.c \
	core/folder_writer.h \
	core/list.h \
	core/limits.c \
	core/list_cursor.c \
	core/list_level.c \
	core/listing.c \
	core/listing.h \
	core/local.c \
	core/local.h \
	core/loop.c \
	core/loop.h \
	core/loop_ev.c \
	core/loop_own.c \
	core/map.c \
	core/map.h \
	core/mkdir.c \
	core/names.c \
	core/op.c \
	core/op.h \
	core/registry.c \
	core/result.c \
	core/sleep.c \
	core/source.c \
	core/source.h \
	core/store.c \
	core/strays.c \
	core/strays.h \
	core/stream_reader.c \
	core/str.c \
	core/str.h \
	core/temp.c \
	core/uri.c \
	core/uri.h \
	core/uri_format.c \
	core/uri_opt.c \
	core/upload.c \
	core/upload.h \
	core/upload_complete.c \
	core/upload_gc.c \
	core/upload_list.c \
	core/upload_names.c \
	core/upload_part.c \
	core/upload_remove.c \
	core/upload_small.c \
	core/upload_steps.c \
	core/value.c \
	core/value.h \
	core/version.c \
	core/workers.c \
	core/workers.h \
	core/writer.c \
	core/writer.h

if USDT
core_sources += core/probe.c
endif

unit_tests += \
	tests/unit/test-config \
	tests/unit/test-crc \
	tests/unit/test-digest \
	tests/unit/test-heap \
	tests/unit/test-limits \
	tests/unit/test-listing \
	tests/unit/test-loop \
	tests/unit/test-map \
	tests/unit/test-nomem \
	tests/unit/test-str \
	tests/unit/test-strays \
	tests/unit/test-transfer \
	tests/unit/test-upload \
	tests/unit/test-uri \
	tests/unit/test-version \
	tests/unit/test-writer

tests_unit_test_strays_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pthread_create
tests_unit_test_nomem_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup
