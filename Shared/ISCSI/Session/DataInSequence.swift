// SPDX-License-Identifier: Apache-2.0

/// Cuts the data of one read into Data-In PDUs: none longer than the initiator takes, F at the end of each burst, and
/// GOOD status with the residual in the last (RFC 7143 §11.7). Made lazily, as the output has room.
package struct DataInSequence: Equatable, Sendable {
    package struct Piece: Equatable, Sendable {
        package var pdu: SCSIDataIn
        /// Which bytes of the data travel with it.
        package var range: Range<Int>
        package var carriesStatus: Bool
    }

    private let initiatorTaskTag: UInt32
    private let byteCount: Int
    private let residual: Residual
    /// What the initiator takes in one PDU now; it may say so anew while data is under way.
    var dataSegmentLimit: Int
    private let maxBurstByteCount: Int
    private var offset = 0
    private var burstByteCount = 0
    private var dataSN: UInt32 = 0

    /// - Parameter byteCount: not 0; a command without data is answered by a SCSI Response.
    package init(
        initiatorTaskTag: UInt32, byteCount: Int, residual: Residual, parameters: SessionParameters
    ) {
        precondition(byteCount > 0)
        self.initiatorTaskTag = initiatorTaskTag
        self.byteCount = byteCount
        self.residual = residual
        dataSegmentLimit = parameters.initiatorDataSegmentLimit
        maxBurstByteCount = parameters.maxBurstByteCount
    }

    package var isOver: Bool { offset == byteCount }
    package var remainingByteCount: Int { byteCount - offset }

    /// The sequence numbers are the caller's: they are fixed when the PDU is sent.
    package mutating func next() -> Piece? {
        guard !isOver else { return nil }
        let length = min(dataSegmentLimit, byteCount - offset, maxBurstByteCount - burstByteCount)
        let range = offset..<offset + length
        offset += length
        burstByteCount += length
        var pdu = SCSIDataIn()
        pdu.initiatorTaskTag = initiatorTaskTag
        pdu.dataSN = dataSN
        pdu.bufferOffset = UInt32(range.lowerBound)
        dataSN += 1
        if isOver || burstByteCount == maxBurstByteCount {
            pdu.flags = 0x80
            burstByteCount = 0
        }
        if isOver {
            pdu.flags |= 0x01 | residual.flag
            pdu.residual = residual.byteCount
        }
        return Piece(pdu: pdu, range: range, carriesStatus: isOver)
    }
}
