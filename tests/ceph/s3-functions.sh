# shellcheck shell=bash
# Sourced by the tests of the S3 gateway: skips without one, and gives its keys and $query. ROMA_S3_VENDOR is what
# tests/byhand/s3-servers.sh puts in place of the gateway.
if [ -z "${ROMA_CEPH_S3:-}" ] || [ ! -e "$BUILD_DIR/.libs/s3compat.so" ]; then
  echo "no S3 gateway, or the module for S3 was not built"
  exit 77
fi
export AWS_ACCESS_KEY_ID=$ROMA_CEPH_S3_ACCESS AWS_SECRET_ACCESS_KEY=$ROMA_CEPH_S3_SECRET
unset AWS_SESSION_TOKEN AWS_PROFILE AWS_CA_BUNDLE http_proxy HTTP_PROXY
# shellcheck disable=SC2034 # of those who source it
query="?endpoint=$ROMA_CEPH_S3&vendor=${ROMA_S3_VENDOR:-radosgw}"
