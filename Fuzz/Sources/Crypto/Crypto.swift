// SPDX-License-Identifier: Apache-2.0

/// Stands in for swift-crypto, whose C library takes longer to build than everything else here. These digests have the
/// sizes of the real ones and depend on every byte; nothing that is fuzzed asks for more.
package protocol HashFunction {
    associatedtype Digest: Sequence where Digest.Element == UInt8
    init()
    mutating func update(bufferPointer: UnsafeRawBufferPointer)
    func finalize() -> Digest
}

package struct StandInDigest: Sendable {
    private var state: UInt64
    package init(seed: UInt64) { state = seed }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        // FNV-1a.
        unsafe state = bytes.reduce(state) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    package func bytes(_ count: Int) -> [UInt8] {
        var state = state
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(state >> 56)
        }
    }
}

package enum Insecure {
    package struct MD5: HashFunction {
        private var digest = StandInDigest(seed: 5)
        package init() {}
        package mutating func update(bufferPointer: UnsafeRawBufferPointer) { unsafe digest.update(bufferPointer) }
        package func finalize() -> [UInt8] { digest.bytes(16) }
    }

    package struct SHA1: HashFunction {
        private var digest = StandInDigest(seed: 6)
        package init() {}
        package mutating func update(bufferPointer: UnsafeRawBufferPointer) { unsafe digest.update(bufferPointer) }
        package func finalize() -> [UInt8] { digest.bytes(20) }
    }
}

package struct SHA256: HashFunction {
    private var digest = StandInDigest(seed: 7)
    package init() {}
    package mutating func update(bufferPointer: UnsafeRawBufferPointer) { unsafe digest.update(bufferPointer) }
    package func finalize() -> [UInt8] { digest.bytes(32) }
}

package struct SHA3_256: HashFunction {
    private var digest = StandInDigest(seed: 8)
    package init() {}
    package mutating func update(bufferPointer: UnsafeRawBufferPointer) { unsafe digest.update(bufferPointer) }
    package func finalize() -> [UInt8] { digest.bytes(32) }
}
