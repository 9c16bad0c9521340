// SPDX-License-Identifier: Apache-2.0
package import Messages
package import SCSI

/// The one place where the volume's owner and the bus are translated into SCSI's terms.
extension MediumOutcome {
    /// Nil: not an outcome of the medium.
    package init?(_ reply: IOReply) {
        switch reply.status {
        case .good: self = .good
        case .miscompare: self = .miscompare(byteOffset: reply.information)
        case .busy: self = .busy
        case .outOfRange: self = .outOfRange
        case .mediumError: self = .mediumError(sector: reply.information)
        case .writeError: self = .writeError
        case .fenced: self = .fenced
        case .unknownVolume: self = .unknownVolume
        case .refused: self = .refused
        case .helloRequired, .checkCondition, .reservationConflict, .aborted: return nil
        }
    }

    /// No answer came in time. What may be done twice is tried again by the initiator after BUSY. A COMPARE AND WRITE
    /// or a reservation that may have been applied must not look as if it had not been.
    package init(expired operation: IORequest.Operation, wasSent: Bool) {
        let mayMatter = operation == .compareAndWrite || operation == .deviceServerCommand
        self = wasSent && mayMatter ? .refused : .busy
    }
}

extension IORequest.Operation {
    package init(_ kind: MediumOperation.Kind) {
        switch kind {
        case .read: self = .read
        case .write: self = .write
        case .writeSame: self = .writeSame
        case .compareAndWrite: self = .compareAndWrite
        case .flush: self = .flush
        case .verify, .verifySame: self = .compare
        case .orWrite: self = .orWrite
        case .prefetch: self = .prefetch
        }
    }
}
