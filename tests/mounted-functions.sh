# shellcheck shell=bash disable=SC2034 # variables are for those who source this
# Sourced by tests of the program that also go behind its back: a folder of their own on a real MooseFS, seen through roma
# and through a mount. They work in $SCRATCH.
# shellcheck source=tests/tools-functions.sh
. "$SRC_DIR/tests/tools-functions.sh"
[ -n "${ROMA_MFS_MOUNT:-}" ] || skip "the cluster could not be mounted here (FUSE)"
cluster=$SRC_DIR/tests/cluster/mfs
read -ra ns <<<"$ROMA_MFS_NS"
top=$(basename "$0" .sh)-$$
here=mfs://$ROMA_MFS_MASTER/$top
mounted=$ROMA_MFS_MOUNT/$top
# yes: at its end a script leaves the cluster whole.
heals=
roma() { "${ns[@]}" "$ROMA" "$@"; }
at_end() {
  cd /
  [ "$heals" != yes ] || "$cluster" heal --dir "$ROMA_MFS_DIR"
  rm -rf "$mounted"
  [ -z "${own_scratch:-}" ] || rm -rf "$own_scratch"
}
trap at_end EXIT
# goal COPIES FOLDER: how many copies new files below have.
goal() { "${ns[@]}" mfssetsclass "$1" "$2" >out || fail "mfssetsclass: $(cat out)"; }
mkdir "$mounted" || fail "mkdir $mounted"
