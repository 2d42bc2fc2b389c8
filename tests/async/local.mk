# Programs for the scripts async-*.sh in tests/contract and tests/integration.
async_programs = \
	tests/async/heartbeat \
	tests/async/pauses \
	tests/async/threads
check_PROGRAMS += $(async_programs) tests/async/torture
tests_async_heartbeat_LDADD = libroma.la $(EV_LIBS)
tests_async_heartbeat_LDFLAGS = $(AM_LDFLAGS) -no-install
tests_async_pauses_LDADD = libroma.la
tests_async_pauses_LDFLAGS = $(AM_LDFLAGS) -no-install
tests_async_threads_LDADD = libroma.la
tests_async_threads_LDFLAGS = $(AM_LDFLAGS) -no-install

# The library's objects are linked in, so that --wrap reaches their calls.
tests_async_torture_LDADD = libroma-core.la
tests_async_torture_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=strndup,--wrap=asprintf,--wrap=vasprintf \
	-Wl,--wrap=posix_memalign,--wrap=pthread_create,--wrap=socket,--wrap=connect,--wrap=send,--wrap=sendmsg \
	-Wl,--wrap=recv,--wrap=recvmsg,--wrap=readv,--wrap=writev,--wrap=setsockopt,--wrap=getsockopt \
	-Wl,--wrap=epoll_create1,--wrap=epoll_ctl,--wrap=eventfd,--wrap=timerfd_create
