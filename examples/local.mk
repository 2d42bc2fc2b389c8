# The examples see the library as a user does, and `make check` runs them.
example_programs = \
	examples/copy-between-stores \
	examples/many-reads \
	examples/poll-loop \
	examples/put

check_PROGRAMS += $(example_programs)
script_tests += examples/run.sh
EXTRA_DIST += examples/README.md examples/phases.bt

examples_copy_between_stores_LDADD = libroma.la
examples_many_reads_LDADD = libroma.la $(EV_LIBS)
examples_poll_loop_LDADD = libroma.la
examples_put_LDADD = libroma.la
