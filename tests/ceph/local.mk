# Scripts for a real Ceph, run by ./runtests ceph.
EXTRA_DIST += \
	tests/ceph/cephfs-daemons.sh \
	tests/ceph/cephfs-faults.sh \
	tests/ceph/cephfs-kill.sh \
	tests/ceph/cephfs-phases.sh \
	tests/ceph/cephfs-rename.sh \
	tests/ceph/cephfs-strays.sh \
	tests/ceph/chunks-diagnose.sh \
	tests/ceph/cluster.sh \
	tests/ceph/contract-cephfs.sh \
	tests/ceph/first-download.sh \
	tests/ceph/functions.sh \
	tests/ceph/s3-functions.sh \
	tests/ceph/other-cluster.sh \
	tests/ceph/rados-contract.sh \
	tests/ceph/rados-faults.sh \
	tests/ceph/rados-kill.sh \
	tests/ceph/rados-races.sh \
	tests/ceph/s3-contract.sh \
	tests/ceph/s3-meta.sh \
	tests/ceph/s3-objects.sh \
	tests/ceph/s3-presign.sh \
	tests/ceph/s3-sync.sh \
	tests/ceph/s3-uploads.sh \
	tests/ceph/shut-out.sh

check_PROGRAMS += tests/ceph/cephfs-client tests/ceph/rados-cancel tests/ceph/rados-client
tests_ceph_cephfs_client_LDADD = libroma.la
# The module finds its ceph_close().
tests_ceph_cephfs_client_LDFLAGS = $(AM_LDFLAGS) -no-install -export-dynamic
tests_ceph_rados_cancel_LDADD = libroma.la
tests_ceph_rados_cancel_LDFLAGS = $(AM_LDFLAGS) -no-install
tests_ceph_rados_client_LDADD = libroma.la
# The module finds its rados_connect().
tests_ceph_rados_client_LDFLAGS = $(AM_LDFLAGS) -no-install -export-dynamic

if CEPHIO
check_PROGRAMS += tests/ceph/cephfs-strays tests/ceph/first-download tests/ceph/phases tests/ceph/rados-races tests/ceph/shut-out
tests_ceph_cephfs_strays_SOURCES = tests/ceph/cephfs-strays.c
tests_ceph_cephfs_strays_LDADD = libroma.la
# The module finds its calls of libcephfs.
tests_ceph_cephfs_strays_LDFLAGS = $(AM_LDFLAGS) -no-install -export-dynamic
tests_ceph_first_download_SOURCES = tests/ceph/first-download.c
tests_ceph_first_download_LDADD = libroma.la $(CEPHFS_LIBS)
tests_ceph_first_download_LDFLAGS = $(AM_LDFLAGS) -no-install
tests_ceph_phases_SOURCES = tests/ceph/phases.c
tests_ceph_phases_LDADD = libroma.la $(CEPHFS_LIBS)
tests_ceph_phases_LDFLAGS = $(AM_LDFLAGS) -no-install
tests_ceph_rados_races_SOURCES = tests/ceph/rados-races.c
tests_ceph_rados_races_LDADD = libroma.la
# The module finds its calls of librados, and its clock.
tests_ceph_rados_races_LDFLAGS = $(AM_LDFLAGS) -no-install -export-dynamic
tests_ceph_shut_out_SOURCES = tests/ceph/shut-out.c
tests_ceph_shut_out_LDADD = libroma.la
# The module finds its rados_connect() and ceph_mount().
tests_ceph_shut_out_LDFLAGS = $(AM_LDFLAGS) -no-install -export-dynamic
else
EXTRA_DIST += \
	tests/ceph/cephfs-strays.c \
	tests/ceph/first-download.c \
	tests/ceph/phases.c \
	tests/ceph/rados-races.c \
	tests/ceph/shut-out.c
endif
