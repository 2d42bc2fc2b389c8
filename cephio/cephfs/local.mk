cephfs_sources = \
	cephio/cephfs/attr.c \
	cephio/cephfs/cephfs.h \
	cephio/cephfs/data.c \
	cephio/cephfs/error.c \
	cephio/cephfs/fd.c \
	cephio/cephfs/file.c \
	cephio/cephfs/job.c \
	cephio/cephfs/layout.c \
	cephio/cephfs/mount.c \
	cephio/cephfs/names.c \
	cephio/cephfs/nudge.c \
	cephio/cephfs/order.c \
	cephio/cephfs/path.c \
	cephio/cephfs/ping.c \
	cephio/cephfs/readdir.c \
	cephio/cephfs/registry.c \
	cephio/cephfs/root.c \
	cephio/cephfs/store.c
