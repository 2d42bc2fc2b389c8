# The module for S3 against a scripted server; tests/ceph has what needs a real one.
if S3COMPAT
check_PROGRAMS += tests/s3/script-server
tests_s3_script_server_LDADD =
endif
script_tests += tests/s3/faults.sh
