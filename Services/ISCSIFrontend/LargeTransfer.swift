// SPDX-License-Identifier: Apache-2.0
import Platform
import SCSI
import Wire

/// A command that moves more than one request to the volume's owner may: it goes there in pieces, one after the other,
/// once the owner has said that it may run and that all of it exists. What a command promises to do at once is never
/// that large. Used on the loop's thread.
final class LargeTransfer {
    enum Step { case checking, mergingTail, moving }

    let operation: MediumOperation
    let transfer: MediumTransfer
    var step = Step.checking
    private(set) var doneSectorCount: UInt32 = 0
    /// What a read has got so far, with room for the rest.
    private(set) var received: IOBuffer?

    init(_ operation: MediumOperation, _ transfer: MediumTransfer) {
        self.operation = operation
        self.transfer = transfer
    }

    static func isNeeded(for operation: MediumOperation, _ transfer: MediumTransfer) -> Bool {
        guard transfer.sectors.count > pieceLimit(operation.kind) else { return false }
        return operation.kind != .flush && operation.kind != .prefetch
    }

    /// One block of data makes the owner read many, which no budget counts: they are read a little at a time.
    private static func pieceLimit(_ kind: MediumOperation.Kind) -> UInt32 {
        kind == .verifySame ? 2048 : BlockLimits.requestSectorCount
    }

    var isDone: Bool { doneSectorCount == transfer.sectors.count }

    /// What is to be moved next.
    var piece: SectorRange {
        SectorRange(
            start: transfer.sectors.start + UInt64(doneSectorCount),
            count: min(Self.pieceLimit(operation.kind), transfer.sectors.count - doneSectorCount))
    }

    var isAtLastPiece: Bool { step == .moving && doneSectorCount + piece.count == transfer.sectors.count }

    /// - Parameter data: all of the command's data-out.
    func payload(from data: IOBuffer?) -> IOBuffer? {
        guard let data else { return nil }
        // One block is for every piece.
        if operation.kind == .writeSame || operation.kind == .verifySame { return data }
        let start = doneByteCount
        return unsafe IOBuffer(copying: UnsafeRawBufferPointer(data.bytes(start..<start + piece.byteCount)))
    }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        let buffer = received ?? IOBuffer(byteCount: transfer.sectors.byteCount)
        unsafe buffer.copy(bytes, to: doneByteCount)
        received = buffer
    }

    func completePiece() { doneSectorCount += piece.count }

    /// Of the piece under way; what was compared before it counts, too.
    func result(of outcome: MediumOutcome) -> CommandResult {
        guard case .miscompare(let byteOffset) = outcome else { return operation.result(of: outcome) }
        return operation.result(of: .miscompare(byteOffset: UInt64(doneByteCount) + byteOffset))
    }

    private var doneByteCount: Int { Int(doneSectorCount) * Geometry.sectorByteCount }
}
