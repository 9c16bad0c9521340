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
        for status in [IOReply.Status.helloRequired, .checkCondition, .reservationConflict, .aborted] {
            #expect(outcome(status) == nil)
        }
    }

    @Test func whatMayHaveHappenedAndMattersIsNotCalledBusy() {
        for operation in IORequest.Operation.allCases {
            #expect(MediumOutcome(expired: operation, wasSent: false) == .busy)
            let matters = operation == .compareAndWrite || operation == .deviceServerCommand
            let expected = matters ? MediumOutcome.refused : .busy
            #expect(MediumOutcome(expired: operation, wasSent: true) == expected)
        }
    }
}
