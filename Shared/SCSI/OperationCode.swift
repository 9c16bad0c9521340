// SPDX-License-Identifier: Apache-2.0

/// The commands that the device server carries out.
package enum OperationCode: Sendable, CaseIterable {
    case testUnitReady, requestSense, inquiry, modeSense6, modeSense10, reportLUNs, readCapacity10, readCapacity16
    case getLBAStatus
    case read6, read10, read12, read16
    case write10, write12, write16
    case synchronizeCache10, synchronizeCache16
    case unmap, writeSame10, writeSame16, compareAndWrite
}
