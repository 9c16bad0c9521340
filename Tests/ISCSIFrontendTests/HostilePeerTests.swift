// SPDX-License-Identifier: Apache-2.0
import Glibc
import ISCSI
import ISCSIFrontend
import SCSI
import TestInitiator
import TestSupport
import Testing
import Wire

/// Peers that do not keep to the protocol: their connection ends, others do not notice.
@Suite(.serialized) struct HostilePeerTests {
    /// Runs `attack` beside a decent initiator, which must not notice anything.
    private func besideDecentOne(
        adjust: @escaping (inout FrontendLimits) -> Void = { _ in },
        _ attack: @escaping @Sendable (FrontendHarness) throws -> Void
    ) async throws {
        try await FrontendHarness.run { limits in
            limits.stopSeconds = 0
            adjust(&limits)
        } _: { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            let decent = try harness.loggedIn()
            try attack(harness)
            // Resets are told to everybody, once.
            _ = try decent.execute([.testUnitReady])
            #expect(try decent.execute([.testUnitReady])[0].isGood)
        }
    }

    @Test func anythingButALoginEndsTheConnectionWithoutAWord() async throws {
        try await besideDecentOne { harness in
            var random = SeededRandom(seed: 1)
            var openings = (0..<30).map { _ in random.bytes(48 + random.below(200)) }
            openings.append(
                Array("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a browser of some kind\r\n\r\n".utf8))
            openings.append([0x16, 0x03, 0x01, 0x02, 0x00, 0x01] + random.bytes(512))
            for index in openings.indices where openings[index][0] & 0x3f == LoginRequest.opcode {
                openings[index][0] = 0x01
            }
            for pdu in [SCSICommand().encoded(), TextRequest().encoded(), TaskManagementRequest().encoded()] {
                openings.append((0..<48).map { pdu[$0] })
            }
            for opening in openings {
                let raw = try RawInitiator(port: harness.port)
                // The announced lengths are made small, so that the PDU is whole.
                var bytes = opening
                for index in 4..<8 { bytes[index] = 0 }
                raw.send(bytes)
                #expect(try raw.receive() == nil)
            }
        }
    }

    @Test func aLoginThatAnnouncesTooMuchEndsAtOnce() async throws {
        try await besideDecentOne { harness in
            let raw = try RawInitiator(port: harness.port)
            var header = raw.login.encoded(dataSegmentByteCount: 8193)
            raw.send((0..<48).map { header[$0] })
            #expect(try raw.receive() == nil)
            let huge = try RawInitiator(port: harness.port)
            header = huge.login.encoded(dataSegmentByteCount: 1 << 24 - 1)
            huge.send((0..<48).map { header[$0] })
            #expect(try huge.receive() == nil)
        }
    }

    @Test func whoDoesNotFinishItsLoginIsCutOff() async throws {
        try await besideDecentOne {
            $0.loginSeconds = 1
        } _: { harness in
            let silent = try RawInitiator(port: harness.port)
            let slow = try RawInitiator(port: harness.port)
            slow.send([0x43, 0x87])
            #expect(try silent.receive() == nil)
            #expect(try slow.receive() == nil)
        }
    }

    @Test func dataBeyondTheLimitIsRejectedAndTheConnectionEnds() async throws {
        try await besideDecentOne { harness in
            let raw = try RawInitiator(port: harness.port)
            #expect(try raw.logIn(harness.volume.name).0.status == 0)
            let header = NOPOut().encoded(dataSegmentByteCount: 1 << 24 - 1)
            raw.send((0..<48).map { header[$0] })
            let (answer, data) = try #require(try raw.receive())
            #expect(try #require(Reject(decoding: answer)).reason == RejectReason.protocolError.rawValue)
            #expect(data == (0..<48).map { header[$0] })
            #expect(try raw.receive() == nil)
        }
    }

    @Test func randomRequestsNeverHurtAnybody() async throws {
        try await besideDecentOne { harness in
            for seed in UInt64(0)..<40 {
                var random = SeededRandom(seed: seed)
                let raw = try RawInitiator(port: harness.port)
                guard try raw.logIn(harness.volume.name, [TextPair("InitialR2T", "No")]).0.status == 0 else {
                    Issue.record("login")
                    return
                }
                var cmdSN: UInt32 = 0
                for _ in 0..<60 {
                    let noise = random.bytes(48)
                    var header = HeaderBytes { noise[$0] }
                    let data = random.oneIn(2) ? [] : random.bytes(random.below(2000))
                    header[0] = [0x01, 0x01, 0x01, 0x41, 0x05, 0x02, 0x00, 0x04][random.below(8)]
                    for index in 4..<24 { header[index] = 0 }
                    // A cold reset ends all sessions of its target, as it should.
                    if header[0] == 0x02, header[1] & 0x7f == 7 { header[1] = 0x85 }
                    (header[6], header[7]) = (UInt8(data.count >> 8), UInt8(data.count & 0xff))
                    header[19] = UInt8(random.below(20))
                    header[22] = UInt8(random.below(64))
                    for index in 0..<4 {
                        header[24 + index] = UInt8(truncatingIfNeeded: cmdSN >> UInt32(24 - 8 * index))
                    }
                    header[32] = [0x28, 0x2a, 0x8a, 0x88, 0x41, 0x42, 0x89, 0x93, 0x12, 0x1a][random.below(10)]
                    for index in 34..<40 where random.oneIn(2) { header[index] = 0 }
                    if header[0] & 0x40 == 0, header[0] != 0x05 { cmdSN += 1 }
                    let padding = [UInt8](repeating: 0, count: -data.count & 3)
                    raw.send((0..<48).map { header[$0] } + data + padding)
                }
            }
        }
    }

    @Test func digestsAreCheckedBothWays() async throws {
        try await besideDecentOne { harness in
            let raw = try RawInitiator(port: harness.port)
            let keys = [TextPair("HeaderDigest", "CRC32C"), TextPair("DataDigest", "CRC32C")]
            #expect(try raw.logIn(harness.volume.name, keys).1.contains(keys[1]))
            var random = SeededRandom(seed: 5)
            let data = random.bytes(1024)
            func write(tag: UInt32, lba: UInt64) -> SCSICommand {
                var command = SCSICommand()
                (command.isWrite, command.expectedDataTransferLength, command.initiatorTaskTag) = (true, 1024, tag)
                (command.isImmediate, command.cdb) = (true, CDB(high: 0x8a00_0000_0000_0000 | lba >> 16, low: 0))
                command.cdb = CDB(rawValue: UInt128(0x8a) << 120 | UInt128(lba) << 48 | UInt128(2) << 16)
                return command
            }
            func answer() throws -> SCSIResponse? { try raw.receive().flatMap { SCSIResponse(decoding: $0.header) } }
            // The first command hears of the new nexus.
            raw.send(write(tag: 1, lba: 10), data: data)
            #expect(try answer()?.status == 2)
            raw.send(write(tag: 2, lba: 10), data: data)
            #expect(try answer()?.status == 0)
            // One bit of the data is wrong: refused, and nothing of it is written.
            raw.writer.bytes.removeAll()
            raw.writer.append(write(tag: 3, lba: 20), data: data)
            raw.writer.bytes[100] ^= 1
            raw.send(raw.writer.bytes)
            #expect(try Reject(decoding: #require(try raw.receive()).header)?.reason == 0x02)
            #expect(try answer()?.status == 2)
            var read = SCSICommand()
            (read.isRead, read.expectedDataTransferLength, read.initiatorTaskTag) = (true, 1024, 4)
            (read.isImmediate, read.cdb) = (
                true, CDB(rawValue: UInt128(0x88) << 120 | UInt128(10) << 48 | UInt128(2) << 16)
            )
            raw.send(read)
            #expect(try #require(try raw.receive()).data == data)
            read.cdb = CDB(rawValue: UInt128(0x88) << 120 | UInt128(20) << 48 | UInt128(2) << 16)
            raw.send(read)
            #expect(try #require(try raw.receive()).data == [UInt8](repeating: 0, count: 1024))
            // A wrong header digest: nothing of the connection can be trusted.
            raw.writer.bytes.removeAll()
            raw.writer.append(read)
            raw.writer.bytes[20] ^= 1
            raw.send(raw.writer.bytes)
            #expect(try raw.receive() == nil)
        }
    }

    @Test func discoveryListsTheTargetAtTheAddressThatWasReached() async throws {
        try await besideDecentOne { harness in
            let raw = try RawInitiator(port: harness.port)
            #expect(try raw.logIn(nil).0.status == 0)
            var request = TextRequest()
            request.isImmediate = true
            raw.send(request, data: TextKeys.encode([TextPair("SendTargets", "All")]))
            let pairs = try TextKeys.parse(try #require(try raw.receive()).data)
            #expect(
                pairs == [
                    TextPair("TargetName", harness.volume.name),
                    TextPair("TargetAddress", "127.0.0.1:\(harness.port),1"),
                ])
        }
    }

    @Test func aLogoutIsAnsweredAndAnUnknownSessionIsNot() async throws {
        try await besideDecentOne { harness in
            let raw = try RawInitiator(port: harness.port)
            _ = try raw.logIn(harness.volume.name)
            var logout = LogoutRequest()
            (logout.isImmediate, logout.initiatorTaskTag) = (true, 7)
            raw.send(logout)
            let (header, _) = try #require(try raw.receive())
            #expect(try #require(LogoutResponse(decoding: header)).response == 0)
            let stranger = try RawInitiator(port: harness.port)
            stranger.login.tsih = 4711
            #expect(try stranger.logIn(harness.volume.name).0.status == LoginStatus.sessionDoesNotExist.rawValue)
        }
    }
}
