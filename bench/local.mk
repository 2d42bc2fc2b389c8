# Programs that measure are built by `make bench` only.
bench_programs =
EXTRA_PROGRAMS += $(bench_programs)

.PHONY: bench
bench: $(bench_programs)
