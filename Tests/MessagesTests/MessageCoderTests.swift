// SPDX-License-Identifier: Apache-2.0
import Messages
import TestSupport
import Testing
import Wire

@Suite struct MessageCoderTests {
    private func expectGolden<Value: Codable>(_ name: String, _ value: Value) throws {
        let golden = try Golden.bytes("messages/v1/\(name)")
        #expect(try MessageCoder.encode(value) == golden)
        let decoded = try MessageCoder.decode(Value.self, from: golden)
        #expect(try MessageCoder.encode(decoded) == golden)
    }

    @Test func messagesKeepTheirGoldenBytes() throws {
        try expectGolden(
            "hello-request",
            HelloRequest(
                service: .iscsi, instance: ServiceInstance(rawValue: 0x1122_3344_5566_7788), softwareVersion: "0.1.0"))
        try expectGolden(
            "volume-create-request",
            VolumeCreateRequest(
                name: "db", byteCount: 10 << 30, durability: .always, compression: CompressionLevel(rawValue: 3),
                blockSize: .fourKibibytes, isRemovable: true))
        try expectGolden(
            "upload-job",
            UploadJob(
                id: 9, work: .putObject(key: ObjectKey("a/b"), precondition: .matches(EntityTag("e1"))),
                timeoutMilliseconds: 5000))
        try expectGolden(
            "metric-family",
            MetricFamily(
                name: "m", help: "h", type: .gauge,
                samples: [.init(labels: ["volume": "vol-x", "a": "1"], value: 1.5)]))
        var histogram = LatencyHistogram()
        for nanoseconds: UInt64 in [10_000, 30_000_000_000, 30_000_000_000] {
            histogram.record(nanoseconds: nanoseconds)
        }
        try expectGolden(
            "metric-histogram",
            MetricFamily(name: "m", help: "h", type: .histogram, samples: [.init(histogram)]))
        try expectGolden("fault", BusFault(.helloRequired, "hi"))
    }

    @Test func metricsOfAServiceWithoutHistogramsAreReadAsBefore() throws {
        let family = try MessageCoder.decode(
            MetricFamily.self, from: try Golden.bytes("messages/v1/metric-family-1"))
        #expect(family.samples == [.init(labels: ["volume": "vol-x", "a": "1"], value: 1.5)])
        #expect(family.upperBounds == nil)
    }

    @Test func aRequestWithoutALeaseIsReadAsBefore() throws {
        let request = try MessageCoder.decode(
            VolumeCreateRequest.self, from: try Golden.bytes("messages/v1/volume-create-request-1"))
        #expect(request.name == "db" && request.commitIntervalSeconds == 10)
        #expect(request.uploadBufferByteCount == nil && request.leaseMilliseconds == nil)
    }

    @Test func aRequestWithoutABlockSizeIsReadAsBefore() throws {
        let request = try MessageCoder.decode(
            VolumeCreateRequest.self, from: try Golden.bytes("messages/v1/volume-create-request-2"))
        #expect(request.name == "db" && request.commitIntervalSeconds == 10)
        #expect(request.blockSize == nil && request.isRemovable == nil)
    }

    @Test func everyMessageRoundTrips() throws {
        for seed in UInt64(0)..<20 {
            var samples = SchemaSamples(seed: seed)
            for sample in try samples.bodies() where sample.kind != .io {
                let value = unsafe try MessageCatalog.decodeBody(
                    kind: sample.kind, isReply: sample.isReply, sample.bytes.span.bytes)
                #expect(try MessageCoder.encode(AnyMessage(value)) == sample.bytes, "\(sample.kind), seed \(seed)")
            }
        }
    }

    @Test func everyKindHasASample() throws {
        var samples = SchemaSamples(seed: 0)
        #expect(Set(try samples.bodies().map(\.kind)) == Set(MessageKind.allCases))
    }

    @Test func refusesEveryTruncation() throws {
        var samples = SchemaSamples(seed: 6)
        for sample in try samples.bodies() {
            for count in 0..<sample.bytes.count {
                let cut = Array(sample.bytes[..<count])
                // An empty batch of requests is the one message that a prefix can be.
                if sample.kind == .io, count == 0 { continue }
                #expect(throws: MessageError.self, "\(sample.kind) cut to \(count)") {
                    unsafe try MessageCatalog.decodeBody(
                        kind: sample.kind, isReply: sample.isReply, cut.span.bytes)
                }
            }
        }
    }

    private struct Scalars: Codable, Equatable {
        var a: Int8 = -1
        var b: Int16 = -2
        var c: Int32 = .min
        var d: Int64 = .min
        var e: Int = .max
        var f: UInt = .max
        var g: Float = -0.5
        var h: Double = .infinity
        var i: Bool = true
        var j: String = "漢"
        var k: [String: Int] = ["x": 1, "y": -1]
        var l: [[UInt16]] = [[1, 2], [], [3]]
        var m: [UInt8] = [1, 2, 3]
        var n: [Int: String] = [5: "five"]
        var o: Int?
        var p: String? = "there"
    }

    @Test func everyScalarAndCollectionRoundTrips() throws {
        let value = Scalars()
        #expect(try MessageCoder.decode(Scalars.self, from: MessageCoder.encode(value)) == value)
    }

    private struct Newer: Codable {
        struct Inner: Codable {
            var x: UInt32
            var added: String
        }
        var name: String
        var inner: Inner
        var last: UInt16
        var added: [UInt64]
        var alsoAdded: Double?
    }
    private struct Older: Codable, Equatable {
        struct Inner: Codable, Equatable { var x: UInt32 }
        var name: String
        var inner: Inner
        var last: UInt16
    }
    private struct OlderWithOptionals: Codable {
        var name: String
        var inner: Older.Inner
        var last: UInt16
        var added: [UInt64]?
    }

    @Test func anOlderReaderSkipsTrailingFieldsItDoesNotKnow() throws {
        let newer = Newer(name: "n", inner: .init(x: 1, added: "later"), last: 2, added: [3, 4], alsoAdded: 5)
        let read = try MessageCoder.decode(Older.self, from: MessageCoder.encode(newer))
        #expect(read == Older(name: "n", inner: .init(x: 1), last: 2))
        let list = try MessageCoder.decode([Older].self, from: MessageCoder.encode([newer, newer]))
        #expect(list == [read, read])
    }

    @Test func aNewerReaderTakesMissingTrailingOptionalsAsNil() throws {
        let bytes = try MessageCoder.encode(Older(name: "n", inner: .init(x: 1), last: 2))
        let read = try MessageCoder.decode(OlderWithOptionals.self, from: bytes)
        #expect(read.added == nil && read.last == 2)
    }

    @Test func namesTheMissingField() throws {
        let bytes = try MessageCoder.encode(Older(name: "n", inner: .init(x: 1), last: 2))
        #expect(throws: MessageError.missingField("added")) {
            try MessageCoder.decode(Newer.Inner.self, from: [4, 0, 0, 0, 1, 0, 0, 0])
        }
        #expect(throws: MessageError.missingField("added")) {
            try MessageCoder.decode(Newer.self, from: withInnerOf(bytes))
        }
    }

    /// The same struct, its inner one with the field that `Newer` needs, and without the trailing one.
    private func withInnerOf(_ bytes: [UInt8]) throws -> [UInt8] {
        struct Middle: Codable {
            var name: String
            var inner: Newer.Inner
            var last: UInt16
        }
        return try MessageCoder.encode(Middle(name: "n", inner: .init(x: 1, added: ""), last: 2))
    }

    @Test func unknownEnumValuesAreErrors() throws {
        var hello = try Golden.bytes("messages/v1/hello-request")
        hello[4] = 99
        #expect(throws: MessageError.self) { try MessageCoder.decode(HelloRequest.self, from: hello) }
        var job = try Golden.bytes("messages/v1/upload-job")
        let name = try #require(job.firstIndex(of: UInt8(ascii: "p")))
        job[name] = UInt8(ascii: "q")
        #expect(throws: MessageError.self) { try MessageCoder.decode(UploadJob.self, from: job) }
        #expect(throws: MessageError.invalidValue("a flag")) {
            try MessageCoder.decode(Bool.self, from: [2])
        }
        #expect(throws: MessageError.invalidValue("a text: not UTF-8")) {
            try MessageCoder.decode(String.self, from: [1, 0, 0, 0, 0xff])
        }
    }

    @Test func refusesBytesAfterTheValue() throws {
        let bytes = try MessageCoder.encode(BusFault(.busy, "x"))
        #expect(throws: MessageError.lengthMismatch) { try MessageCoder.decode(BusFault.self, from: bytes + [0]) }
    }

    private indirect enum Nested: Codable {
        case end
        case more(Nested)
    }

    @Test func boundsTheDepth() throws {
        var value = Nested.end
        for _ in 0..<10 { value = .more(value) }
        _ = try MessageCoder.decode(Nested.self, from: MessageCoder.encode(value))
        for _ in 0..<100 { value = .more(value) }
        #expect(throws: MessageError.tooDeep) { try MessageCoder.encode(value) }
        var bytes: [UInt8] = [7, 0, 0, 0, 3, 0, 0, 0] + Array("end".utf8)
        for _ in 0..<100 {
            let inner = [4, 0, 0, 0] + Array("more".utf8) + bytes
            bytes = (0..<4).map { UInt8(truncatingIfNeeded: inner.count >> (8 * $0)) } + inner
        }
        #expect(throws: MessageError.tooDeep) { try MessageCoder.decode(Nested.self, from: bytes) }
    }

    @Test func countsBeyondTheMessageAreRefusedBeforeAnythingIsReserved() {
        #expect(throws: MessageError.truncated) {
            try MessageCoder.decode([UInt64].self, from: [0xff, 0xff, 0xff, 0xff, 1])
        }
        #expect(throws: MessageError.truncated) {
            try MessageCoder.decode([UInt8].self, from: [0xff, 0xff, 0xff, 0xff, 1])
        }
        #expect(throws: MessageError.truncated) {
            try MessageCoder.decode(String.self, from: [0xff, 0xff, 0xff, 0x7f])
        }
    }

    @Test func refusesWhatIsTooLarge() {
        let large = [UInt8](repeating: 0, count: MessageLimits.bodyByteCount)
        let expected = MessageError.tooLarge(byteCount: large.count + 4, limit: MessageLimits.bodyByteCount)
        #expect(throws: expected) { try MessageCoder.encode(large) }
        #expect(throws: MessageError.self) { try MessageCoder.decode([UInt8].self, from: large + [0]) }
    }

    @Test func aTypeThatCannotBeEncodedSaysSo() {
        #expect(throws: MessageError.unsupportedShape("nil outside a struct's field")) {
            try MessageCoder.encode([1, nil, 2] as [Int?])
        }
        class Base: Codable { var a = 1 }
        final class Derived: Base {
            override func encode(to encoder: any Encoder) throws {
                var container = encoder.unkeyedContainer()
                try super.encode(to: container.superEncoder())
            }
        }
        #expect(throws: MessageError.unsupportedShape("class inheritance")) { try MessageCoder.encode(Derived()) }
    }

    /// Random damage to every message: refused or read as something else, never a trap; and what is read is stable.
    @Test func survivesRandomDamage() throws {
        for seed in UInt64(0)..<40 {
            var samples = SchemaSamples(seed: seed)
            var random = SeededRandom(seed: seed &+ 1000)
            for sample in try samples.bodies() {
                for _ in 0..<4 {
                    let bytes = damaged(sample.bytes, &random)
                    guard
                        let value = unsafe try? MessageCatalog.decodeBody(
                            kind: sample.kind, isReply: sample.isReply, bytes.span.bytes),
                        sample.kind != .io
                    else { continue }
                    let again = try MessageCoder.encode(AnyMessage(value))
                    let second = unsafe try MessageCatalog.decodeBody(
                        kind: sample.kind, isReply: sample.isReply, again.span.bytes)
                    #expect(try MessageCoder.encode(AnyMessage(second)) == again, "\(sample.kind), seed \(seed)")
                }
            }
        }
    }

    private func damaged(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.below(3) {
            switch random.below(4) {
            case 0 where !bytes.isEmpty: bytes[random.below(bytes.count)] = UInt8(random.below(256))
            case 1 where !bytes.isEmpty: bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
            case 2: bytes.insert(UInt8(random.below(256)), at: random.below(bytes.count + 1))
            default: if !bytes.isEmpty { bytes.remove(at: random.below(bytes.count)) }
            }
        }
        return bytes
    }
}

/// Encodes as the value in it does.
struct AnyMessage: Encodable {
    let value: any Encodable
    init(_ value: any Encodable) { self.value = value }
    func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
}
