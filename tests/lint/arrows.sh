#!/bin/bash
# Who may include whom: tools -> include/roma -> core -> core/backend.h <- backends, never the other way.
set -u
cd "$SRC_DIR" || exit 1
status=0

# forbid WHO PATTERN REASON [EXCEPTION]: no file below WHO includes what matches, but the exception.
forbid() {
  local who=$1 pattern=$2 reason=$3 exception=${4:-^$} found
  found=$(git ls-files "$who" | grep -E '\.(c|h)$' | grep -vE "$exception" |
    xargs -r grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" /dev/null)
  if [ -n "$found" ]; then
    printf 'FAIL: %s\n%s\n' "$reason" "$found"
    status=1
  fi
}

up='(\.\./)*'
forbid core "${up}(fileio|mfsproto|cephio|s3compat|tools)/" \
  "core knows the backends through core/registry.c only" '^core/registry\.c$'
forbid fileio "${up}(mfsproto|cephio|s3compat|tools)/" "a backend includes no other backend"
forbid mfsproto "${up}(fileio|cephio|s3compat|tools)/" "a backend includes no other backend"
forbid cephio "${up}(fileio|mfsproto|s3compat|tools)/" "a backend includes no other backend"
forbid s3compat "${up}(fileio|mfsproto|cephio|tools)/" "a backend includes no other backend"
forbid cephio/cephfs "${up}cephio/rados/" "the two stores of the module know nothing of each other"
forbid cephio/rados "${up}cephio/cephfs/" "the two stores of the module know nothing of each other"
for who in core fileio mfsproto s3compat tools; do
  forbid "$who" 'rados/|cephfs/' "only the module is linked with Ceph"
done
for who in tools examples bench; do
  forbid "$who" "${up}(core|fileio|mfsproto|cephio|s3compat)/" "programs use the public headers only"
done
forbid include '[^r>]*\.\./|(core|fileio|mfsproto|cephio|s3compat|tools)/' "a public header includes public headers only"
for who in core fileio mfsproto cephio s3compat tools; do
  forbid "$who" 'ev\.h' "libev is known to core/loop_ev.c only" '^core/loop_ev\.c$'
done
for who in core fileio mfsproto cephio tools; do
  forbid "$who" 'curl/|expat\.h' "only the module is linked with libcurl and expat"
done
forbid s3compat/sign 'curl/|sys/socket\.h|netinet/|arpa/|poll\.h' "signing knows no sockets"
forbid mfsproto/wire 'sys/socket\.h|netinet/|arpa/|poll\.h|sys/epoll\.h' "the wire floor knows no sockets"
exit $status
