// SPDX-License-Identifier: Apache-2.0
import Testing

// It belongs to this executable alone, so nothing of it is visible from outside.
@testable import ISCSIFrontend

@Suite struct PendingAbortsTests {
    @Test func aBarrierSettlesTheAbortsBeforeItAndNoOthers() {
        var aborts = PendingAborts()
        #expect(!aborts.needsBarrier)
        aborts.add()
        let first = aborts.count
        aborts.add()
        aborts.settle(through: first)
        #expect(aborts.needsBarrier)
        aborts.settle(through: aborts.count)
        #expect(!aborts.needsBarrier)
        // An older barrier that ends late takes nothing back.
        aborts.settle(through: first)
        #expect(!aborts.needsBarrier)
    }
}
