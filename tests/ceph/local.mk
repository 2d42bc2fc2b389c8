# Scripts for a real Ceph, run by ./runtests ceph.
EXTRA_DIST += \
	tests/ceph/cluster.sh
