# Scripts for a real MooseFS, run by ./runtests faults.
EXTRA_DIST += \
	tests/faults/bad-input.sh \
	tests/faults/chunkserver.sh \
	tests/faults/functions.sh \
	tests/faults/interrupted.sh \
	tests/faults/master.sh \
	tests/faults/space.sh
