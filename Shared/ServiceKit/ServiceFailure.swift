// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import Messages
import ObjectStorage
package import Platform

/// Why a process ends, for its last line and its exit status. `message` says what is wrong and what to do.
package struct ServiceFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package var exitCode: ServiceExitCode
    package var message: String
    package init(_ exitCode: ServiceExitCode, _ message: String) {
        self.exitCode = exitCode
        self.message = message
    }
    package var description: String { message }

    /// Any error that reached the top of a process.
    package init(describing error: any Error) {
        switch error {
        case let failure as ServiceFailure: self = failure
        case let error as ConfigurationError: self.init(.configuration, error.description)
        case let error as SystemError: self.init(Self.exitCode(for: error), error.description)
        case let fault as BusFault: self.init(Self.exitCode(for: fault.code), fault.message)
        case let error as BusError: self.init(Self.exitCode(for: error), error.description)
        case let error as ObjectStoreError: self.init(Self.exitCode(for: error), error.description)
        default: self.init(.software, String(describing: error))
        }
    }

    /// A port that cannot be had, with the key that named it.
    package init(cannotListen error: SystemError, key: String) {
        let remedy =
            switch error.errorNumber {
            case EADDRINUSE: "stop what uses it, or set \(key) to another address"
            case EACCES, EPERM: "ports below 1024 need privileges; set \(key) to another address"
            default: "set \(key) to an address of this machine"
            }
        self.init(Self.exitCode(for: error), "\(key): \(error.description); \(remedy)")
    }

    private static func exitCode(for error: SystemError) -> ServiceExitCode {
        switch error.errorNumber {
        case EADDRINUSE, EADDRNOTAVAIL, EEXIST: .cannotCreate
        case EIO, ENOSPC, EDQUOT, EROFS, EFBIG: .inputOutput
        case EACCES, EPERM: .cannotCreate
        default: .operatingSystem
        }
    }

    private static func exitCode(for error: BusError) -> ServiceExitCode {
        switch error {
        case .malformedEndpoint, .pathTooLong, .noKey: .configuration
        case .inUse, .cannotListen: .cannotCreate
        case .system(let error): exitCode(for: error)
        case .zeroMQ, .isShutDown: .operatingSystem
        }
    }

    private static func exitCode(for error: ObjectStoreError) -> ServiceExitCode {
        switch error {
        case .refused(.noPermission), .refused(.readOnlyAccess): .cannotCreate
        case .refused(.bucketMissing), .refused(.notADirectory): .unavailable
        case .refused, .invalidKey: .configuration
        case .notFound, .corrupt: .badData
        case .unavailable, .ambiguous: .unavailable
        case .preconditionFailed, .conflict: .temporaryFailure
        }
    }

    private static func exitCode(for code: BusFault.Code) -> ServiceExitCode {
        switch code {
        case .invalidArgument: .usage
        case .nameTaken: .cannotCreate
        case .unknownVolume, .unknownSnapshot, .malformed: .badData
        case .unsupportedVersion, .unsupportedKind, .tooLarge, .helloRequired, .internalError: .software
        case .deadlineExceeded, .notReady, .busy, .inUse, .insufficientSpace, .revoked, .cancelled: .temporaryFailure
        case .bucketUnavailable, .ownedElsewhere, .fenced: .unavailable
        case .bucketRefused: .configuration
        case .journalFailed: .inputOutput
        }
    }
}
