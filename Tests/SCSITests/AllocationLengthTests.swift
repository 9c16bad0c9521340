// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

/// The allocation length cuts the reply and changes nothing else in it.
@Suite struct AllocationLengthTests {
    private struct Reply: CustomTestStringConvertible {
        var testDescription: String
        var largest: Int
        var cdb: @Sendable (Int) -> [UInt8]
    }

    private static let replies: [Reply] =
        [
            Reply(testDescription: "REQUEST SENSE", largest: 255) { [0x03, 0, 0, 0, UInt8($0), 0] },
            Reply(testDescription: "REQUEST SENSE, descriptors", largest: 255) { [0x03, 1, 0, 0, UInt8($0), 0] },
            Reply(testDescription: "INQUIRY", largest: 65535) { [0x12, 0, 0] + UInt16($0).bytes + [0] },
            Reply(testDescription: "REPORT LUNS", largest: 65535) { [0xA0, 0, 0, 0, 0, 0] + UInt32($0).bytes },
            Reply(testDescription: "MODE SENSE(6)", largest: 255) { [0x1A, 0, 0x3F, 0xFF, UInt8($0), 0] },
            Reply(testDescription: "MODE SENSE(10)", largest: 65535) {
                [0x5A, 0x10, 0x3F, 0xFF, 0, 0, 0] + UInt16($0).bytes
            },
            Reply(testDescription: "READ CAPACITY(16)", largest: 65535) {
                [0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0] + UInt32($0).bytes
            },
            Reply(testDescription: "READ DEFECT DATA(10)", largest: 65535) {
                [0x37, 0, 0x18, 0, 0, 0, 0] + UInt16($0).bytes
            },
            Reply(testDescription: "READ DEFECT DATA(12)", largest: 65535) {
                [0xB7, 0x18, 0, 0, 0, 0] + UInt32($0).bytes
            },
            Reply(testDescription: "REPORT TARGET PORT GROUPS", largest: 65535) {
                [0xA3, 0x0A, 0, 0, 0, 0] + UInt32($0).bytes
            },
            Reply(testDescription: "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", largest: 65535) {
                [0xA3, 0x0D, 0x80, 0, 0, 0] + UInt32($0).bytes
            },
        ] + pages + operationCodes

    private static var pages: [Reply] {
        let vital: [UInt8] = [0x00, 0x80, 0x83, 0x86, 0x8F, 0xB0, 0xB1, 0xB2]
        let logs: [(UInt8, UInt8)] = [(0x00, 0x00), (0x00, 0xFF), (0x0C, 0x00)]
        return vital.map { page in
            Reply(testDescription: "VPD \(page)", largest: 65535) { [0x12, 1, page] + UInt16($0).bytes }
        }
            + logs.map { page, subpage in
                Reply(testDescription: "LOG SENSE \(page)/\(subpage)", largest: 65535) {
                    [0x4D, 0, page, subpage, 0, 0, 0] + UInt16($0).bytes
                }
            }
    }

    private static var operationCodes: [Reply] {
        let requests: [[UInt8]] = [[0x00, 0], [0x80, 0], [0x01, 0x28], [0x82, 0x9E], [0x03, 0xFF]]
        return requests.map { request in
            Reply(testDescription: "REPORT SUPPORTED OPERATION CODES \(request)", largest: 65535) {
                [0xA3, 0x0C] + request + [0, request == [0x82, 0x9E] ? 0x12 : 0] + UInt32($0).bytes
            }
        }
    }

    /// By whoever answers it.
    private func answer(_ bytes: [UInt8], _ decoder: CommandDecoder) -> CommandResult {
        let disposition = decoder.begin(bytes)
        guard disposition.deviceServerDataOut == 0 else { return disposition.result ?? .busy }
        let use = ProvisioningUse(availableSectorCount: 1 << 30, usedSectorCount: 1 << 20)
        return decoder.unit.report(bytes, ModeParameters(softThresholdSectorCount: 1 << 21), use)
    }

    @Test(arguments: replies.indices)
    func cutsTheReplyAndNothingElse(index: Int) throws {
        let reply = Self.replies[index]
        let decoder = TestUnit.decoder()
        let whole = answer(reply.cdb(reply.largest), decoder)
        try #require(whole.status == .good && !whole.dataIn.isEmpty && whole.dataIn.count < reply.largest)
        // Every length about the reply's size and about each byte of the field, then the rest in steps.
        let lengths =
            Array(0...min(2048, reply.largest)) + stride(from: 2049, through: reply.largest, by: 251)
            + [reply.largest]
        for length in lengths {
            let result = answer(reply.cdb(length), decoder)
            let cut = Array(whole.dataIn.prefix(length))
            if result != CommandResult(status: .good, dataIn: cut, transferByteCount: cut.count) {
                Issue.record("\(reply.testDescription) with allocation length \(length)")
            }
        }
    }

    /// An allocation length of four bytes may ask for more than any reply has.
    @Test func theLargestLengthIsNoLengthAtAll() {
        for bytes in [
            [0xA0, 0, 0, 0, 0, 0, 255, 255, 255, 255], [0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255],
            [0xA3, 0x0C, 0, 0, 0, 0, 255, 255, 255, 255], [0xB7, 0, 0, 0, 0, 0, 255, 255, 255, 255],
        ] as [[UInt8]] {
            let result = answer(bytes, TestUnit.decoder())
            #expect(result.status == .good && !result.dataIn.isEmpty)
        }
    }
}
