/* SPDX-License-Identifier: MIT */
/* The system calls that touch the network, as one table: a test replaces an entry to make the n-th call fail. */
#ifndef MFS_SYS_H
#define MFS_SYS_H

#include <netdb.h>
#include <sys/socket.h>
#include <sys/types.h>

struct mfs_sys {
        int (*socket)(int domain, int type, int protocol);
        int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
        int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
        int (*connect)(int fd, const struct sockaddr *addr, socklen_t len);
        ssize_t (*sendmsg)(int fd, const struct msghdr *msg, int flags);
        ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
        int (*close)(int fd);
        int (*getaddrinfo)(const char *node, const char *service, const struct addrinfo *hints,
                           struct addrinfo **res); /* called on a worker thread */
};
extern struct mfs_sys mfs_sys;

#endif
