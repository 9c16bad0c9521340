// SPDX-License-Identifier: Apache-2.0

/// What happened, line by line on demand, and as a digest always: two runs of one seed must have the same digest.
package struct Trace {
    private let isPrinting: Bool
    private let sink: (String) -> Void
    package private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325

    package init(sink: ((String) -> Void)? = nil) {
        isPrinting = sink != nil
        self.sink = sink ?? { _ in }
    }

    package mutating func note(_ values: UInt64...) {
        for value in values { digest = (digest ^ value) &* 0x100_0000_01b3 }
    }

    package func line(_ time: UInt64, _ text: @autoclosure () -> String) {
        guard isPrinting else { return }
        sink("\(time / 1000) µs  \(text())")
    }
}
