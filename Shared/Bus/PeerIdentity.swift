// SPDX-License-Identifier: Apache-2.0
package import Wire

/// ZeroMQ's name for one connected socket, as a ROUTER sees it: 1 to 32 bytes, kept in place so that requests can carry
/// it without allocating. Our sockets choose theirs (`init(instance:ordinal:)`) and keep it when they connect again.
package struct PeerIdentity: Hashable, Sendable, CustomStringConvertible {
    package static let byteLimit = 32
    private var words: InlineWords = InlineWords()
    private(set) var byteCount: UInt8 = 0

    private struct InlineWords: Hashable, Sendable {
        var first: UInt64 = 0
        var second: UInt64 = 0
        var third: UInt64 = 0
        var fourth: UInt64 = 0
    }

    /// nil if the bytes are none or too many.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard (1...Self.byteLimit).contains(bytes.count) else { return nil }
        byteCount = UInt8(bytes.count)
        unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyMemory(from: bytes) }
    }

    /// The identity of the `ordinal`th socket of a process. The first byte is not 0: ZeroMQ keeps that for itself.
    package init(instance: ServiceInstance, ordinal: UInt32) {
        byteCount = 16
        words.first = 0x53 | UInt64(ordinal) << 32
        words.second = instance.rawValue
    }

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe withUnsafeBytes(of: words) { whole in
            unsafe body(UnsafeRawBufferPointer(rebasing: whole[..<Int(byteCount)]))
        }
    }

    package var description: String {
        unsafe withBytes { bytes in unsafe bytes.map { hexadecimal(UInt64($0), digits: 2) }.joined() }
    }
}
