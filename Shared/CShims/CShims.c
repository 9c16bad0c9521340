// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CShims.h"
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

int sluice_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

ssize_t sluice_pread_nowait(int descriptor, void *buffer, size_t byte_count, off_t byte_offset) {
    struct iovec vector = {.iov_base = buffer, .iov_len = byte_count};
    return preadv2(descriptor, &vector, 1, byte_offset, RWF_NOWAIT);
}

int sluice_open(const char *path, int flags, unsigned mode) { return open(path, flags, (mode_t)mode); }

void sluice_tune_malloc(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);  // The most that glibc takes.
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
}

int sluice_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int sluice_epoll_control(
    int epoll, enum sluice_epoll_change change, int descriptor, bool read, bool write, bool end, uint64_t data) {
    struct epoll_event event = {
        .events = (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u) | (end ? EPOLLRDHUP : 0u),
        .data.u64 = data,
    };
    int operation = change == SLUICE_EPOLL_ADD ? EPOLL_CTL_ADD
        : change == SLUICE_EPOLL_CHANGE ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    return epoll_ctl(epoll, operation, descriptor, &event);
}

int sluice_epoll_wait(int epoll, struct sluice_ready *ready, int capacity, int timeout_milliseconds) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, capacity < 256 ? capacity : 256, timeout_milliseconds);
    for (int index = 0; index < count; index++) {
        uint32_t bits = events[index].events;
        ready[index] = (struct sluice_ready){
            .data = events[index].data.u64,
            .readable = bits & EPOLLIN,
            .writable = bits & EPOLLOUT,
            .hangup = bits & (EPOLLHUP | EPOLLRDHUP),
            .error = bits & EPOLLERR,
        };
    }
    return count;
}

int sluice_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void sluice_name_thread(const char *name) {
    char cut[16];
    strncpy(cut, name, sizeof cut - 1);
    cut[sizeof cut - 1] = 0;
    pthread_setname_np(pthread_self(), cut);
}

int sluice_open_direct_flag(void) { return O_DIRECT; }

int sluice_allocate(int descriptor, off_t byte_offset, off_t byte_count) {
    return fallocate(descriptor, 0, byte_offset, byte_count);
}

void sluice_drop_page_cache(int descriptor) { posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED); }
