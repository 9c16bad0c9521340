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
