// SPDX-License-Identifier: Apache-2.0
import Glibc
import Messages
import Platform
import ServiceKit
import Testing

struct ServiceFailureTests {
    @Test func everyKindOfErrorHasItsExitCode() {
        let configuration = ConfigurationError(place: "f:1", key: "k", reason: "r")
        #expect(ServiceFailure(describing: configuration) == ServiceFailure(.configuration, "f:1: k: r"))
        let portInUse = SystemError(errorNumber: EADDRINUSE, call: "bind", path: "127.0.0.1:3260")
        #expect(ServiceFailure(describing: portInUse).exitCode == .cannotCreate)
        #expect(ServiceFailure(describing: SystemError(errorNumber: ENOSPC, call: "write")).exitCode == .inputOutput)
        #expect(ServiceFailure(describing: BusFault(.unknownVolume, "no volume x")).exitCode == .badData)
        #expect(ServiceFailure(describing: BusFault(.invalidArgument, "odd")).exitCode == .usage)
        // States of a gateway: the command line is right.
        #expect(ServiceFailure(describing: BusFault(.nameTaken, "taken")).exitCode == .cannotCreate)
        #expect(ServiceFailure(describing: BusFault(.inUse, "attached")).exitCode == .temporaryFailure)
        #expect(ServiceFailure(describing: ServiceFailure(.unavailable, "m")).message == "m")
        struct Odd: Error {}
        #expect(ServiceFailure(describing: Odd()).exitCode == .software)
    }

    @Test func exitCodesAreThoseOfSysexits() {
        #expect(ServiceExitCode.allCases.map(\.rawValue) == [0, 64, 65, 69, 70, 71, 73, 74, 75, 78])
        #expect(ServiceExitCode.configuration.needsAPerson)
        #expect(!ServiceExitCode.temporaryFailure.needsAPerson)
    }
}
