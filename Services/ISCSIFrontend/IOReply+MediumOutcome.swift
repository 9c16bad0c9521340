// SPDX-License-Identifier: Apache-2.0
package import Messages
package import SCSI

/// The one place where the volume's owner and the bus are translated into SCSI's terms.
extension MediumOutcome {
    /// Nil: the request stays open, it is sent again after the next hello.
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
        case .helloRequired: return nil
        }
    }

    /// No answer came in time. What may be done twice is tried again by the initiator after BUSY. A COMPARE AND WRITE
    /// that may have been applied must not look as if it had not been.
    package init(expired operation: IORequest.Operation, wasSent: Bool) {
        self = wasSent && operation == .compareAndWrite ? .refused : .busy
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
        }
    }
}
