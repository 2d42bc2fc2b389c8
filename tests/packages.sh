# shellcheck shell=bash disable=SC2034 # the lists and $reason are for those who source this
# Sourced by runtests and quickstart: what they need of Debian, and its installation.

build_packages=(gcc make autoconf automake libtool pkg-config libev-dev libssl-dev libdeflate-dev libisal-dev libjansson-dev libpcap-dev)
test_packages=("${build_packages[@]}" check g++ openssl curl tcpdump librados-dev libcephfs-dev libcurl4-openssl-dev libexpat1-dev systemtap-sdt-dev)
mfs_packages=(moosefs-master moosefs-chunkserver moosefs-client moosefs-cli fuse3 iproute2 util-linux acl attr)
ceph_packages=(ceph-mon ceph-mgr ceph-osd ceph-mds radosgw ceph-common ceph-fuse curl)

missing_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

# install_packages PACKAGE...: false, with the reason in $reason, when something is missing and stays so.
install_packages() {
  local missing as_root=()
  if ! command -v dpkg-query >/dev/null; then
    reason="this is not Debian: install what stands for $*"
    return 1
  fi
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  reason="not installed and not root: apt-get install ${missing[*]}"
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n)
  fi
  echo "installing ${missing[*]}"
  apt_log=$(mktemp)
  if apt_install "${missing[@]}" || { apt_get update && apt_install "${missing[@]}"; }; then
    rm -f "$apt_log"
    return 0
  fi
  reason="apt-get could not install ${missing[*]}: $(grep -m1 '^E:' "$apt_log")"
  rm -f "$apt_log"
  return 1
}

apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -q -y "$@" >>"$apt_log" 2>&1 </dev/null; }
apt_install() { apt_get install --no-install-recommends "$@"; }
