# Examples see the library as a user does: examples_x_LDADD = libroma.la. They are built and run by `make check`.
