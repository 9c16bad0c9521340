// SPDX-License-Identifier: Apache-2.0
import FuzzInitiator
import FuzzSupport
import ISCSI
import Wire

/// One connection from its first byte on: framing, login, full feature phase. An input is a script of what initiator,
/// volume and clock do; a part of it is raw bytes of the stream.
@main
enum FuzzPDU: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var input = FuzzInput(input)
        let connection = ConnectionModel(&input)
        let initiator = InitiatorModel()
        // A session is where most of the code is: half of the inputs begin in one.
        if input.flag() { connection.receive(initiator.login(&input)) }
        while !input.isAtEnd, !connection.isClosed {
            step(connection, initiator, &input)
            for answer in connection.takeAnswers() { initiator.read(answer) }
        }
        connection.close()
    }

    private static func step(_ connection: ConnectionModel, _ initiator: InitiatorModel, _ input: inout FuzzInput) {
        switch input.choice(16) {
        case 0: connection.receive(input.take(input.choice(128)))
        case 1: connection.receive(initiator.login(&input))
        case 2: connection.receive(initiator.loginRequest(&input))
        case 3, 4, 5: connection.receive(initiator.command(&input))
        case 6, 7: connection.receive(initiator.dataOut(&input))
        case 8: connection.receive(initiator.taskManagement(&input))
        case 9: connection.receive(initiator.textRequest(&input))
        case 10: connection.receive(initiator.ping(&input))
        case 11: connection.receive(initiator.logout(&input))
        case 12: connection.receive(initiator.anything(&input))
        case 13: connection.volumeAnswers(&input)
        case 14: connection.sendData(pieceCount: input.choice(4))
        default: connection.other(&input)
        }
    }
}
