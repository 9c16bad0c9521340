// SPDX-License-Identifier: Apache-2.0
// What Glibc has but does not export to Swift.
#pragma once
#include <sys/types.h>
#include <sys/uio.h>

/// accept4(2) with SOCK_NONBLOCK | SOCK_CLOEXEC. Returns the descriptor or -1 with errno.
int sluice_accept(int listener);
/// preadv2(2) with RWF_NOWAIT: reads only what needs no waiting. Returns -1 with errno EAGAIN otherwise.
ssize_t sluice_pread_nowait(int descriptor, void *buffer, size_t byte_count, off_t byte_offset);
/// open(2) with three arguments; Swift cannot call variadic functions.
int sluice_open(const char *path, int flags, unsigned mode);
/// Keeps malloc from giving large buffers back to the kernel after each use (page faults dominate otherwise).
void sluice_tune_malloc(void);

#include <stdbool.h>
#include <stdint.h>

/// One entry of epoll_wait(2), unpacked: Swift is spared the packed kernel structure.
struct sluice_ready {
    uint64_t data;
    bool readable, writable, hangup, error;
};
enum sluice_epoll_change { SLUICE_EPOLL_ADD, SLUICE_EPOLL_CHANGE, SLUICE_EPOLL_REMOVE };

int sluice_epoll_create(void);
/// Level-triggered. `end`: the peer's end of sending counts as a hang-up. Returns 0, or -1 with errno.
int sluice_epoll_control(
    int epoll, enum sluice_epoll_change change, int descriptor, bool read, bool write, bool end, uint64_t data);
/// At most 256 entries a call. Returns their number, or -1 with errno.
int sluice_epoll_wait(int epoll, struct sluice_ready *ready, int capacity, int timeout_milliseconds);
/// eventfd(2), non-blocking and close-on-exec.
int sluice_eventfd(void);
/// Names the calling thread; longer names are cut to 15 bytes.
void sluice_name_thread(const char *name);
/// open(2) flags that Glibc's module hides.
int sluice_open_direct_flag(void);
/// fallocate(2) mode 0: space reserved, size extended.
int sluice_allocate(int descriptor, off_t byte_offset, off_t byte_count);
/// POSIX_FADV_DONTNEED over the whole file.
void sluice_drop_page_cache(int descriptor);
