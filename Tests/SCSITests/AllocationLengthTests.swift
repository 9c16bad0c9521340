// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing

/// The allocation length cuts the reply and changes nothing else in it.
@Suite struct AllocationLengthTests {
    private struct Reply: CustomTestStringConvertible {
        var testDescription: String
        var largest: Int
        var cdb: @Sendable (Int) -> [UInt8]
    }

    private static let replies: [Reply] = [
        Reply(testDescription: "REQUEST SENSE", largest: 255) { [0x03, 0, 0, 0, UInt8($0), 0] },
        Reply(testDescription: "INQUIRY", largest: 65535) { [0x12, 0, 0] + UInt16($0).bytes + [0] },
        Reply(testDescription: "VPD 00", largest: 65535) { [0x12, 1, 0] + UInt16($0).bytes + [0] },
        Reply(testDescription: "VPD 80", largest: 65535) { [0x12, 1, 0x80] + UInt16($0).bytes + [0] },
        Reply(testDescription: "VPD 83", largest: 65535) { [0x12, 1, 0x83] + UInt16($0).bytes + [0] },
        Reply(testDescription: "VPD B0", largest: 65535) { [0x12, 1, 0xB0] + UInt16($0).bytes + [0] },
        Reply(testDescription: "VPD B1", largest: 65535) { [0x12, 1, 0xB1] + UInt16($0).bytes + [0] },
        Reply(testDescription: "VPD B2", largest: 65535) { [0x12, 1, 0xB2] + UInt16($0).bytes + [0] },
        Reply(testDescription: "MODE SENSE(6)", largest: 255) { [0x1A, 0, 0x3F, 0, UInt8($0), 0] },
        Reply(testDescription: "MODE SENSE(10)", largest: 65535) {
            [0x5A, 0x10, 0x3F, 0, 0, 0, 0] + UInt16($0).bytes + [0]
        },
        Reply(testDescription: "READ CAPACITY(16)", largest: 65535) {
            [0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0] + UInt32($0).bytes + [0, 0]
        },
        Reply(testDescription: "GET LBA STATUS", largest: 65535) {
            [0x9E, 0x12, 0, 0, 0, 0, 0, 0, 0, 0] + UInt32($0).bytes + [0, 0]
        },
        Reply(testDescription: "REPORT LUNS", largest: 65535) {
            [0xA0, 0, 0, 0, 0, 0] + UInt32($0).bytes + [0, 0]
        },
    ]

    @Test(arguments: replies.indices)
    func cutsTheReplyAndNothingElse(index: Int) throws {
        let reply = Self.replies[index]
        let server = TestUnit.server()
        let whole = try #require(server.begin(reply.cdb(reply.largest)).dataIn)
        #expect(!whole.isEmpty)
        // Every length about the reply's size and about each byte of the field, then the rest in steps.
        let lengths =
            Array(0...min(1024, reply.largest)) + stride(from: 1025, through: reply.largest, by: 251)
            + [reply.largest]
        for length in lengths {
            let result = server.begin(reply.cdb(length)).result
            if result?.dataIn.count != min(length, whole.count) || result?.dataIn != Array(whole.prefix(length))
                || result?.status != .good || result?.transferByteCount != min(length, whole.count)
            {
                Issue.record("\(reply.testDescription) with allocation length \(length)")
            }
        }
    }
}
