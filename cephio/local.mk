# Linked with the libraries of Ceph, which no program pays for that does not open cephfs:// or rados://.
cephio_sources = \
	cephio/cephio.h \
	cephio/leaving.c \
	cephio/module.c \
	cephio/monitors.c \
	cephio/monitors.h \
	cephio/pieces.c \
	cephio/pieces.h \
	cephio/pieces_ask.c \
	cephio/pieces_ask.h

if CEPHIO
module_LTLIBRARIES += cephio.la
cephio_la_SOURCES = $(cephio_sources) $(cephfs_sources) $(rados_sources)
cephio_la_LIBADD = librados-codec.la libroma.la $(CEPHFS_LIBS) $(RADOS_LIBS) $(JANSSON_LIBS)
# nodelete: threads of Ceph's libraries may run for as long as the process does.
cephio_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -no-undefined -export-symbols-regex '^roma_module$$' \
	-Wl,-z,nodelete
else
EXTRA_DIST += $(cephio_sources) $(cephfs_sources) $(rados_sources)
endif

