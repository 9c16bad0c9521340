// SPDX-License-Identifier: Apache-2.0
// CRC32C (iSCSI polynomial) from Intel ISA-L, hardware accelerated on x86-64 and arm64.
#include <isa-l/crc.h>
