// SPDX-License-Identifier: Apache-2.0
import ISCSIFrontend
import Messages
import SCSI
import Testing
import Wire

struct MediumOutcomeTests {
    private func outcome(_ status: IOReply.Status, information: UInt64 = 0) -> MediumOutcome? {
        MediumOutcome(
            IOReply(frontend: ServiceInstance(rawValue: 1), number: 1, status: status, information: information))
    }

    @Test func everyAnswerOfTheCacheManagerHasItsMeaning() {
        #expect(outcome(.good) == .good)
        #expect(outcome(.miscompare, information: 17) == .miscompare(byteOffset: 17))
        #expect(outcome(.busy) == .busy)
        #expect(outcome(.outOfRange) == .outOfRange)
        #expect(outcome(.mediumError, information: 99) == .mediumError(sector: 99))
        #expect(outcome(.writeError) == .writeError)
        #expect(outcome(.fenced) == .fenced)
        #expect(outcome(.unknownVolume) == .unknownVolume)
        #expect(outcome(.refused) == .refused)
        #expect(outcome(.helloRequired) == nil)
    }

    @Test func aCompareAndWriteThatMayHaveHappenedIsNotCalledBusy() {
        for operation in IORequest.Operation.allCases {
            #expect(MediumOutcome(expired: operation, wasSent: false) == .busy)
            let expected = operation == .compareAndWrite ? MediumOutcome.refused : .busy
            #expect(MediumOutcome(expired: operation, wasSent: true) == expected)
        }
    }
}
