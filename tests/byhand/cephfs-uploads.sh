#!/bin/bash
# The uploads of the contract suite on a real CephFS, with the environment of `tests/cluster/ceph env` and BUILD_DIR, SRC_DIR.
# Not in ./runtests: see tests/ceph/contract-cephfs.sh.
set -u
exec "$SRC_DIR/tests/ceph/contract-cephfs.sh" --only uploads.
