// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CShims.h"
#include <fcntl.h>
#include <malloc.h>
#include <sys/socket.h>

int sluice_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

ssize_t sluice_pread_nowait(int descriptor, void *buffer, size_t byte_count, off_t byte_offset) {
    struct iovec vector = {.iov_base = buffer, .iov_len = byte_count};
    return preadv2(descriptor, &vector, 1, byte_offset, RWF_NOWAIT);
}

int sluice_open(const char *path, int flags, unsigned mode) { return open(path, flags, (mode_t)mode); }

void sluice_tune_malloc(void) {
    mallopt(M_MMAP_THRESHOLD, 512 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
}
