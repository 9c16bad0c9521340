// SPDX-License-Identifier: Apache-2.0

/// Why the owner of a unit does not carry out a command.
enum CommandRefusal: Error, Equatable {
    case reservationConflict
    case error(SCSIError)

    var result: CommandResult {
        switch self {
        case .reservationConflict: .reservationConflict
        case .error(let error): CommandResult(error)
        }
    }

    static func invalidFieldInCDB(byte: Int, bit: UInt8? = nil) -> Self {
        .error(.invalidFieldInCDB(byte: byte, bit: bit))
    }
    static func invalidFieldInParameterList(byte: Int) -> Self { .error(.invalidFieldInParameterList(byte: byte)) }
}
