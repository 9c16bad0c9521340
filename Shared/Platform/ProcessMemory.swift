// SPDX-License-Identifier: Apache-2.0
import CShims

/// How this process uses memory.
package enum ProcessMemory {
    /// Keeps freed buffers of up to 32 MiB for reuse instead of giving them back: otherwise every large one is mapped
    /// and faulted in anew, which costs more than filling it. Call once at start.
    package static func keepFreedBuffers() { sluice_tune_malloc() }
}
