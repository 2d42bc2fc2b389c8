# shellcheck shell=bash
# Sourced by the scripts of this folder: needs a cluster with a mount, gives them a folder of their own on it.
# shellcheck source=tests/functions.sh
. "$SRC_DIR/tests/functions.sh"

[ -n "${ROMA_MFS_MASTER:-}" ] || skip "no MooseFS cluster"
[ -n "${ROMA_MFS_MOUNT:-}" ] || skip "the cluster could not be mounted here (FUSE)"

# shellcheck disable=SC2034 # for the scripts that source this
{
  cluster=$SRC_DIR/tests/cluster/mfs
  interop=$BUILD_DIR/tests/integration/interop
  uri=mfs://$ROMA_MFS_MASTER/
  scratch=${SCRATCH:-$(mktemp -d)}
  name=$(basename "$0" .sh)-$$
  mounted=$ROMA_MFS_MOUNT/$name
}

inside() { "$cluster" exec "$@"; }

# Set COPIES FOLDER: how many copies new files below have.
goal() { inside mfssetsclass "$1" "$2" >/dev/null || fail "mfssetsclass $1 $2"; }

# All data folders of all chunkservers.
disks() {
  local i=1 v
  while v=ROMA_MFS_CS${i}_DATA && [ -n "${!v:-}" ]; do
    # shellcheck disable=SC2086 # a list of folders
    printf '%s\n' ${!v}
    i=$((i + 1))
  done
}

remove_mounted() { rm -rf "$mounted"; }
trap remove_mounted EXIT
mkdir "$mounted" || fail "mkdir $mounted"
