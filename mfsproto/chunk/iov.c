/* SPDX-License-Identifier: MIT */
/* Ranges of iovecs. */
#include "mfsproto/chunk/inner.h"

int mfs_iov_cut(const struct iovec *iov, int n, size_t skip, size_t len, struct iovec *out, int max,
                size_t *got)
{
        int k = 0;

        *got = 0;
        for (int i = 0; i < n && len > 0 && k < max; i++) {
                size_t take;

                if (skip >= iov[i].iov_len) {
                        skip -= iov[i].iov_len;
                        continue;
                }
                take = iov[i].iov_len - skip;
                if (take > len)
                        take = len;
                out[k].iov_base = (char *)iov[i].iov_base + skip;
                out[k].iov_len = take;
                k++;
                skip = 0;
                len -= take;
                *got += take;
        }
        return k;
}

size_t mfs_iov_len(const struct iovec *iov, int n)
{
        size_t sum = 0;

        for (int i = 0; i < n; i++) {
                if (iov[i].iov_len > SIZE_MAX / 2 - sum)
                        return SIZE_MAX;
                sum += iov[i].iov_len;
        }
        return sum;
}
