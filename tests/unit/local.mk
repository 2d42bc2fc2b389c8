# The unit tests stand in the local.mk of the folder that they test, as unit_tests += tests/unit/test-x.
