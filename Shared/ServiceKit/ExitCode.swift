// SPDX-License-Identifier: Apache-2.0

/// How a process says why it ended, after sysexits(3). Scripts and the supervisor decide by these.
package enum ServiceExitCode: Int32, Sendable, CaseIterable {
    case success = 0
    /// The command line is wrong.
    case usage = 64
    /// Data was found damaged, or what was named does not exist in it.
    case badData = 65
    /// Something needed does not answer: a service, the bucket.
    case unavailable = 69
    /// A defect of this program.
    case software = 70
    /// The operating system refused something that it normally grants.
    case operatingSystem = 71
    /// Something cannot be made: a file, a listening socket (port in use), a volume whose name is taken.
    case cannotCreate = 73
    case inputOutput = 74
    /// The same may work later: buffer full, a volume in use, another instance still stopping.
    case temporaryFailure = 75
    /// The configuration is wrong.
    case configuration = 78

    /// The same start would fail again until a person changes something.
    package var needsAPerson: Bool {
        switch self {
        case .usage, .badData, .unavailable, .cannotCreate, .configuration: true
        case .success, .software, .operatingSystem, .inputOutput, .temporaryFailure: false
        }
    }
}
