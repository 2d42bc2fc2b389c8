# Programs that measure are built by `make bench-programs` only.
bench_programs = bench/roma-bench bench/fs-bench bench/floor bench/list-pages bench/gen-capture bench/store-memory bench/s3-sink
EXTRA_PROGRAMS += $(bench_programs)
EXTRA_DIST += bench/mfs bench/rados bench/wire bench/first-download bench/s3

bench_roma_bench_SOURCES = bench/roma-bench.c bench/measure.h
bench_roma_bench_LDADD = libroma.la
bench_list_pages_SOURCES = bench/list-pages.c bench/measure.h
bench_list_pages_LDADD = libroma.la
bench_store_memory_SOURCES = bench/store-memory.c
bench_store_memory_LDADD = libroma.la
bench_s3_sink_SOURCES = bench/s3-sink.c
bench_s3_sink_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
bench_s3_sink_LDADD = $(CRYPTO_LIBS) -lpthread
bench_fs_bench_SOURCES = bench/fs-bench.c bench/measure.h
bench_fs_bench_LDADD =
bench_gen_capture_SOURCES = bench/gen-capture.c
bench_gen_capture_LDADD =
bench_floor_SOURCES = bench/floor.c bench/measure.h
bench_floor_LDADD = $(DEFLATE_LIBS)

.PHONY: bench-programs
bench-programs: $(bench_programs)
