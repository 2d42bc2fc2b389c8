# The module for S3 against a scripted server; tests/ceph has what needs a real one.
if S3COMPAT
check_PROGRAMS += tests/s3/line tests/s3/script-server tests/s3/upload-call
tests_s3_script_server_LDADD =
endif
script_tests += tests/s3/checksums.sh tests/s3/conditions.sh tests/s3/copy.sh tests/s3/drawn.sh tests/s3/early.sh tests/s3/faults.sh tests/s3/props.sh tests/s3/resume.sh tests/s3/secrets.sh tests/s3/upload-faults.sh
EXTRA_DIST += tests/s3/functions.sh
