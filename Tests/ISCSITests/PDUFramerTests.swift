// SPDX-License-Identifier: Apache-2.0
import ISCSI
import SCSI
import TestSupport
import Testing
import Wire

struct PDUFramerTests {
    private struct Sent: Equatable {
        var header: [UInt8]
        var additional: [UInt8]
        var data: [UInt8]
    }

    /// A PDU as it lies on the wire, built without `PDUWriter`.
    private func wire(_ sent: Sent, _ digests: DigestSettings) -> [UInt8] {
        func digest(_ bytes: [UInt8]) -> [UInt8] {
            let crc = CRC32C.checksum(bytes)
            return (0..<4).map { UInt8(truncatingIfNeeded: crc >> UInt32(8 * $0)) }
        }
        var bytes = sent.header + sent.additional
        if digests.header { bytes += digest(bytes) }
        let padded = sent.data + [UInt8](repeating: 0, count: -sent.data.count & 3)
        bytes += padded
        if digests.data, !padded.isEmpty { bytes += digest(padded) }
        return bytes
    }

    private func randomPDU(_ random: inout SeededRandom, dataLimit: Int) -> Sent {
        var command = SCSICommand()
        command.initiatorTaskTag = UInt32(truncatingIfNeeded: random.next())
        let additional = random.bytes(4 * random.below(4))
        let data = random.oneIn(3) ? [] : random.bytes(random.below(dataLimit + 1))
        let header = command.encoded(
            dataSegmentByteCount: data.count, additionalHeaderByteCount: additional.count)
        return Sent(header: bytes(of: header), additional: additional, data: data)
    }

    private func framer(_ digests: DigestSettings, limit: Int = 8192) -> PDUFramer {
        var framer = PDUFramer()
        if digests != DigestSettings() || limit != 8192 {
            framer.beginFullFeaturePhase(dataSegmentLimit: limit, digests: digests)
        }
        return framer
    }

    private func drain(_ framer: inout PDUFramer) throws -> [Sent] {
        var received: [Sent] = []
        while let pdu = try framer.next() {
            #expect(!pdu.hasDataDigestError)
            received.append(
                Sent(
                    header: bytes(of: pdu.header), additional: Array(framer.storage[pdu.additionalHeader]),
                    data: Array(framer.storage[pdu.data])))
        }
        return received
    }

    private static let settings = [
        DigestSettings(), DigestSettings(header: true), DigestSettings(data: true),
        DigestSettings(header: true, data: true),
    ]

    @Test(arguments: settings) func findsPDUsWhereverTheStreamIsCut(_ digests: DigestSettings) throws {
        var random = SeededRandom(seed: 1)
        let sent = (0..<3).map { _ in randomPDU(&random, dataLimit: 40) }
        let stream = sent.flatMap { wire($0, digests) }
        for cut in 0...stream.count {
            var framer = framer(digests)
            #expect(framer.append(stream[..<cut]) == cut)
            var received = try drain(&framer)
            #expect(framer.append(stream[cut...]) == stream.count - cut)
            received += try drain(&framer)
            #expect(received == sent)
            #expect(framer.bufferedByteCount == 0)
        }
    }

    @Test(arguments: settings) func waitsForEveryMissingByte(_ digests: DigestSettings) throws {
        var random = SeededRandom(seed: 2)
        let stream = wire(randomPDU(&random, dataLimit: 100), digests)
        for length in 0..<stream.count {
            var framer = framer(digests)
            _ = framer.append(stream[..<length])
            #expect(try framer.next() == nil)
        }
    }

    @Test func readsALongStreamInRandomPortions() throws {
        var random = SeededRandom(seed: 3)
        let digests = DigestSettings(header: true, data: true)
        let sent = (0..<60).map { _ in randomPDU(&random, dataLimit: 20_000) }
        var stream = sent.flatMap { wire($0, digests) }[...]
        var framer = framer(digests, limit: 20_000)
        var received: [Sent] = []
        while !stream.isEmpty {
            let taken = framer.append(stream.prefix(1 + random.below(30_000)))
            #expect(taken > 0)
            stream = stream.dropFirst(taken)
            received += try drain(&framer)
        }
        #expect(received == sent)
    }

    @Test func refusesOverlongDataBeforeItArrives() throws {
        for (digests, byteCount) in [(DigestSettings(), 8193), (DigestSettings(header: true), 16_777_215)] {
            var framer = framer(digests)
            var header = [UInt8](repeating: 0, count: 48)
            header[5] = UInt8(byteCount >> 16)
            header[6] = UInt8(byteCount >> 8 & 0xff)
            header[7] = UInt8(byteCount & 0xff)
            let capacity = framer.storage.count
            _ = framer.append(wire(Sent(header: header, additional: [], data: []), digests))
            let expected = ISCSIError.dataSegmentTooLong(byteCount: byteCount, limit: 8192)
            #expect(throws: expected) { try framer.next() }
            #expect(expected.disposition == .rejectAndClose(.protocolError))
            #expect(framer.storage.count == capacity)
        }
    }

    @Test func refusesAWrongHeaderDigestWhateverBitIsFlipped() throws {
        var random = SeededRandom(seed: 4)
        let digests = DigestSettings(header: true, data: true)
        let sent = Sent(
            header: bytes(of: NOPOut().encoded(dataSegmentByteCount: 16)), additional: [], data: random.bytes(16))
        let good = wire(sent, digests)
        for bit in 0..<(8 * 52) {
            var damaged = good
            damaged[bit / 8] ^= 1 << (bit % 8)
            var framer = framer(digests)
            // More AHS than arrives only makes the framer wait: padding lets it come to the digest.
            _ = framer.append(damaged + [UInt8](repeating: 0, count: 1100))
            #expect(throws: ISCSIError.headerDigestMismatch) { try framer.next() }
        }
    }

    @Test func reportsAWrongDataDigestAndGoesOn() throws {
        var random = SeededRandom(seed: 5)
        let digests = DigestSettings(data: true)
        let sent = Sent(
            header: bytes(of: NOPOut().encoded(dataSegmentByteCount: 13)), additional: [], data: random.bytes(13))
        let good = wire(sent, digests)
        for index in 48..<good.count {
            var damaged = good
            damaged[index] ^= 0x10
            var framer = framer(digests)
            _ = framer.append(damaged + good)
            let first = try #require(try framer.next())
            #expect(first.hasDataDigestError)
            let second = try #require(try framer.next())
            #expect(!second.hasDataDigestError)
        }
    }

    @Test func writerAndFramerAgree() throws {
        var random = SeededRandom(seed: 6)
        for digests in Self.settings {
            var writer = PDUWriter()
            writer.digests = digests
            var sent: [Sent] = []
            for _ in 0..<30 {
                var nop = NOPOut()
                nop.initiatorTaskTag = UInt32(truncatingIfNeeded: random.next())
                let data = random.bytes(random.below(30))
                writer.append(nop, data: data)
                sent.append(
                    Sent(
                        header: bytes(of: nop.encoded(dataSegmentByteCount: data.count)), additional: [], data: data))
            }
            #expect(writer.bytes == sent.flatMap { wire($0, digests) })
            var framer = framer(digests)
            #expect(framer.append(writer.bytes) == writer.bytes.count)
            #expect(try drain(&framer) == sent)
        }
    }

    @Test func survivesArbitraryBytes() {
        for seed in UInt64(0)..<400 {
            var random = SeededRandom(seed: seed)
            var framer = framer(Self.settings[random.below(4)], limit: 512 + random.below(9000))
            var isOver = false
            for _ in 0..<20 where !isOver {
                var portion = random.bytes(1 + random.below(400))
                // Small lengths, so that headers are often followed by a whole body.
                for index in stride(from: 4, to: portion.count - 2, by: 48) { portion[index + 1] = 0 }
                _ = framer.append(portion)
                do {
                    while let pdu = try framer.next() {
                        #expect(pdu.data.upperBound <= framer.storage.count)
                        #expect(pdu.data.count <= framer.dataSegmentLimit)
                    }
                } catch {
                    isOver = true
                }
            }
        }
    }
}
