# Programs that measure are built by `make bench-programs` only.
bench_programs =
EXTRA_PROGRAMS += $(bench_programs)

.PHONY: bench-programs
bench-programs: $(bench_programs)
