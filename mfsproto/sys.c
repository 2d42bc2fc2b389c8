/* SPDX-License-Identifier: MIT */
/* The real system calls behind mfs_sys. */
#include "mfsproto/sys.h"

#include <unistd.h>

/* glibc declares the address arguments of its socket calls as a transparent union in C, which no function pointer of
 * the POSIX type matches. */
static int real_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
        return connect(fd, addr, len);
}

struct mfs_sys mfs_sys = {
        .socket = socket,
        .setsockopt = setsockopt,
        .getsockopt = getsockopt,
        .connect = real_connect,
        .sendmsg = sendmsg,
        .recvmsg = recvmsg,
        .close = close,
        .getaddrinfo = getaddrinfo,
};
