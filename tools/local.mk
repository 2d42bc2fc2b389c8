# The program roma sees the library as any other program does: public headers only.
if TOOLS
bin_PROGRAMS += roma
roma_SOURCES = \
	tools/attrs.c \
	tools/chore.c \
	tools/cmd-cat.c \
	tools/cmd-chunks.c \
	tools/cmd-cp.c \
	tools/cmd-gc.c \
	tools/cmd-get.c \
	tools/cmd-hash.c \
	tools/cmd-help.c \
	tools/cmd-ls.c \
	tools/cmd-mkdir.c \
	tools/cmd-mv.c \
	tools/cmd-ping.c \
	tools/cmd-put.c \
	tools/cmd-rm.c \
	tools/cmd-stat.c \
	tools/cmd-version.c \
	tools/commands.c \
	tools/flight.c \
	tools/folders.c \
	tools/location.c \
	tools/memory.c \
	tools/names.c \
	tools/options.c \
	tools/output.c \
	tools/place.c \
	tools/pool.c \
	tools/progress.c \
	tools/report.c \
	tools/roma.c \
	tools/signals.c \
	tools/sink.c \
	tools/target.c \
	tools/timing.c \
	tools/tool.h \
	tools/trace-file.c \
	tools/transfer.c \
	tools/tree.c \
	tools/units.c \
	tools/walk.c
roma_LDADD = libroma.la $(JANSSON_LIBS)

dist_man_MANS = doc/roma.1
endif

EXTRA_DIST += \
	doc/roma.md \
	doc/using.md \
	tests/contract/tools-faults.sh \
	tests/contract/tools-interrupt.sh \
	tests/contract/tools-names.sh \
	tests/contract/tools-transfer.sh \
	tests/integration/tools-mfs.sh \
	tests/tools-functions.sh
