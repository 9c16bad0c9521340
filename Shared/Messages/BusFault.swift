// SPDX-License-Identifier: Apache-2.0

/// Why a peer did not do what was asked. `message` says what is wrong and what to do about it, for people.
package struct BusFault: Error, Codable, Sendable, Equatable, CustomStringConvertible {
    package enum Code: UInt16, Codable, Sendable {
        case malformed = 1
        case unsupportedVersion = 2
        case unsupportedKind = 3
        case tooLarge = 4
        case helloRequired = 5
        case deadlineExceeded = 6
        case revoked = 7
        case notReady = 8
        case busy = 9
        case internalError = 10
        /// The caller gave up, or its own bus is shut down; never sent.
        case cancelled = 11
        case invalidArgument = 20
        case nameTaken = 21
        case unknownVolume = 22
        case unknownSnapshot = 23
        case insufficientSpace = 24
        case bucketUnavailable = 25
        case bucketRefused = 26
        case ownedElsewhere = 27
        case inUse = 28
        case fenced = 29
        case journalFailed = 30
    }

    package var code: Code
    package var message: String
    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
    package var description: String { message }
}
