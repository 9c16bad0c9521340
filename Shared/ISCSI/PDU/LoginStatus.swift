// SPDX-License-Identifier: Apache-2.0

/// Status-Class (high byte) and Status-Detail of a Login Response (RFC 7143 §11.13.5).
package enum LoginStatus: UInt16, Error, Sendable, CaseIterable {
    case success = 0x0000
    case movedTemporarily = 0x0101
    case movedPermanently = 0x0102
    case initiatorError = 0x0200
    case authenticationFailure = 0x0201
    case authorizationFailure = 0x0202
    case notFound = 0x0203
    case targetRemoved = 0x0204
    case unsupportedVersion = 0x0205
    case tooManyConnections = 0x0206
    case missingParameter = 0x0207
    case cannotIncludeInSession = 0x0208
    case sessionTypeNotSupported = 0x0209
    case sessionDoesNotExist = 0x020a
    case invalidDuringLogin = 0x020b
    case targetError = 0x0300
    case serviceUnavailable = 0x0301
    case outOfResources = 0x0302
}
