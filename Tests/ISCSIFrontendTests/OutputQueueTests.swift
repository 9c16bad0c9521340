// SPDX-License-Identifier: Apache-2.0
import Glibc
import ISCSI
import TestSupport
import Testing

// The queue belongs to this executable alone, so nothing of it is visible from outside.
@testable import Bus
@testable import ISCSIFrontend

struct OutputQueueTests {
    /// Whatever the sizes and however little the socket takes at a time, the bytes are those of a plain writer.
    @Test func sendsTheSameBytesAsOneLinearBuffer() throws {
        for seed in UInt64(0)..<20 {
            var random = SeededRandom(seed: seed)
            var ends: [Int32] = [0, 0]
            let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
            try #require(unsafe socketpair(AF_UNIX, type, 0, &ends) == 0)
            defer { for end in ends { close(end) } }
            var size: Int32 = 4096
            unsafe setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))

            var queue = OutputQueue()
            var plain = PDUWriter()
            queue.writer.digests = DigestSettings(header: random.oneIn(2), data: random.oneIn(2))
            plain.digests = queue.writer.digests
            var received: [UInt8] = []
            for _ in 0..<400 {
                let count = [3, 100, 5000, 8192, 8193, 40_000][random.below(6)]
                let bytes = random.bytes(count + 10)
                var pdu = SCSIDataIn()
                pdu.dataSN = UInt32(random.below(1000))
                if random.oneIn(3) {
                    queue.append(pdu, bytes: bytes[5..<5 + count])
                } else {
                    queue.append(pdu, FrameSlice(frame: Frame(bytes), range: 5..<5 + count), 0..<count)
                }
                plain.append(pdu, data: Array(bytes[5..<5 + count]))
                if random.oneIn(4) { #expect(queue.flush(to: ends[0]) == true) }
                if random.oneIn(4) { received += drain(ends[1]) }
            }
            while !queue.isEmpty {
                #expect(queue.flush(to: ends[0]) == true)
                received += drain(ends[1])
            }
            #expect(received == plain.bytes, "seed \(seed)")
            #expect(queue.pendingByteCount == 0)
        }
    }

    private func drain(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(descriptor, &part, part.count, 0)
            guard count > 0 else { return bytes }
            bytes += part[..<count]
        }
    }
}
