// SPDX-License-Identifier: Apache-2.0
import Bus
import ISCSI
import Messages
import Platform
import SCSI
import Wire

/// Commands that go to the volume in pieces. A piece that fails ends the command; what was written before it stays, as
/// SBC allows, and a command that is tried again writes the same again.
extension Connection {
    func startLarge(_ task: Int, _ operation: MediumOperation, _ transfer: MediumTransfer) {
        slots[task].work = .large(LargeTransfer(operation, transfer))
        ask(task, .check, operation.sectors, dataOut: nil)
    }

    func complete(_ task: Int, _ large: LargeTransfer, _ outcome: MediumOutcome, _ payload: FrameSlice?) {
        guard outcome == .good, machine?.isAborted(task) == false else {
            return answer(task, large.result(of: outcome))
        }
        switch large.step {
        case .checking: begin(task, large)
        case .mergingTail:
            guard let payload, payload.byteCount == Geometry.sectorByteCount, let buffer = slots[task].buffer else {
                return answer(task, large.result(of: .refused))
            }
            keepTail(of: payload, large.transfer, in: buffer)
            movePiece(task, large)
        case .moving:
            if large.operation.kind == .read {
                guard let payload, payload.byteCount == large.piece.byteCount else {
                    return answer(task, large.result(of: .refused))
                }
                unsafe large.receive(payload.bytes)
            }
            large.completePiece()
            if large.isDone { finish(task, large) } else { movePiece(task, large) }
        }
    }

    /// The owner lets it run.
    private func begin(_ task: Int, _ large: LargeTransfer) {
        let (operation, transfer) = (large.operation, large.transfer)
        switch operation.kind {
        case .read:
            let byteCount = transfer.sectors.byteCount
            guard owner.readBudget.canHold(byteCount) else {
                return answer(task, CommandResult(.insufficientResources))
            }
            guard takeReadBudget(task, byteCount) else { return }
        case .write:
            guard let tail = transfer.tailSector, let router else { break }
            large.step = .mergingTail
            return router.submit(.read, tail, of: operation, payload: nil, owner: .task(id, slot: task))
        case .orWrite: slots[task].buffer?.zero(transfer.byteCount..<transfer.sectors.byteCount)
        case .writeSame, .compareAndWrite, .verify, .verifySame, .flush, .prefetch: break
        }
        movePiece(task, large)
    }

    func movePiece(_ task: Int, _ large: LargeTransfer) {
        guard let router else { return close(.protocolError) }
        large.step = .moving
        router.submit(
            large.operation.kind, large.piece, of: large.operation, payload: large.payload(from: slots[task].buffer),
            owner: .task(id, slot: task))
    }

    private func finish(_ task: Int, _ large: LargeTransfer) {
        guard let data = large.received else { return answer(task, large.result(of: .good)) }
        let slice = FrameSlice(frame: Frame(sharing: data), range: 0..<data.byteCount)
        send(task, .frame(slice), commandByteCount: large.operation.dataInByteCount)
    }
}
