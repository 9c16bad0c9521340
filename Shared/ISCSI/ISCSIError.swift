// SPDX-License-Identifier: Apache-2.0

/// What was wrong with bytes that a peer sent. Callers act on `disposition`, never on text.
package enum ISCSIError: Error, Equatable {
    case headerDigestMismatch
    /// The header announces more data than we declared that we take.
    case dataSegmentTooLong(byteCount: Int, limit: Int)
    case malformedAdditionalHeader
    case malformedText(String)
    case textTooLong(limit: Int)

    package enum Disposition: Equatable, Sendable {
        /// Nothing of the connection can be trusted any more.
        case close
        /// Say why, then close: the bytes that follow are not skipped.
        case rejectAndClose(RejectReason)
        /// Refuse this PDU and go on.
        case reject(RejectReason)
    }

    package var disposition: Disposition {
        switch self {
        case .headerDigestMismatch: .close
        case .dataSegmentTooLong: .rejectAndClose(.protocolError)
        case .malformedAdditionalHeader, .malformedText: .reject(.invalidPDUField)
        case .textTooLong: .reject(.protocolError)
        }
    }
}
