// SPDX-License-Identifier: Apache-2.0

/// Why a PDU was refused (RFC 7143 §11.17.1).
package enum RejectReason: UInt8, Sendable, CaseIterable {
    case dataDigestError = 0x02
    case snackReject = 0x03
    case protocolError = 0x04
    case commandNotSupported = 0x05
    case tooManyImmediateCommands = 0x06
    case taskInProgress = 0x07
    case invalidPDUField = 0x09
    case longOperationReject = 0x0a
    case waitingForLogout = 0x0c
}
