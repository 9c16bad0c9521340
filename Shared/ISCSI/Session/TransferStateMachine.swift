// SPDX-License-Identifier: Apache-2.0

/// The data that an initiator sends for one write: immediate data, unsolicited Data-Out, then what R2Ts ask for
/// (RFC 7143 §4.2.4.3, §11.7, §11.8). Sequences and offsets are in order, so one counter says what has arrived; a
/// peer's offset is compared with it and never used as an index.
package struct TransferStateMachine {
    package struct Limits: Equatable, Sendable {
        package var initialR2T: Bool
        package var firstBurstByteCount: Int
        package var maxBurstByteCount: Int
        package var maxOutstandingR2T: Int
        package init(_ parameters: SessionParameters) {
            initialR2T = parameters.initialR2T
            firstBurstByteCount = parameters.firstBurstByteCount
            maxBurstByteCount = parameters.maxBurstByteCount
            maxOutstandingR2T = min(parameters.maxOutstandingR2T, TransferStateMachine.outstandingLimit)
        }
    }

    package struct Request: Equatable, Sendable {
        package var targetTransferTag: UInt32
        package var r2tSN: UInt32
        package var bufferOffset: Int
        package var byteCount: Int
        package init(targetTransferTag: UInt32, r2tSN: UInt32, bufferOffset: Int, byteCount: Int) {
            self.targetTransferTag = targetTransferTag
            self.r2tSN = r2tSN
            self.bufferOffset = bufferOffset
            self.byteCount = byteCount
        }
    }

    private struct Sequence {
        var targetTransferTag: UInt32 = TaskTag.reserved
        var end = 0
        var dataSN: UInt32 = 0
    }

    fileprivate static let outstandingLimit = 16

    /// Bytes that the command takes: the smaller of what the initiator expects and what the CDB says.
    package private(set) var wantedByteCount = 0
    /// Contiguous bytes from 0 that have arrived, wanted or not.
    package private(set) var arrivedByteCount: Int
    /// A rule was broken: the rest is consumed, then the command fails and nothing of it is written.
    package private(set) var hasFailed = false
    /// How many R2Ts were sent.
    package private(set) var r2tCount: UInt32 = 0

    private let limits: Limits
    private let expectedByteCount: Int
    private var isUnsolicitedOpen: Bool
    private var unsolicitedDataSN: UInt32 = 0
    private var isSolicitedAllowed = false
    private var requestedByteCount = 0
    private var outstanding = InlineArray<16, Sequence>(repeating: Sequence())
    private var outstandingCount = 0

    /// - Parameters:
    ///   - expectedByteCount: the initiator's expected data transfer length.
    ///   - immediateByteCount: not more than the first burst; what lies beyond the expected length is dropped.
    ///   - isFinal: the F bit of the command.
    package init(expectedByteCount: Int, immediateByteCount: Int, isFinal: Bool, limits: Limits) {
        self.limits = limits
        self.expectedByteCount = expectedByteCount
        arrivedByteCount = min(immediateByteCount, expectedByteCount)
        let bound = min(limits.firstBurstByteCount, expectedByteCount)
        isUnsolicitedOpen = !isFinal && !limits.initialR2T && arrivedByteCount < bound
    }

    /// Nothing more is on its way and nothing more will be asked for.
    package var isSettled: Bool {
        !isUnsolicitedOpen && outstandingCount == 0
            && (hasFailed || !isSolicitedAllowed || arrivedByteCount >= wantedByteCount)
    }

    /// The command wants the first `byteCount` bytes, and R2Ts may be sent for those that did not come unasked.
    package mutating func want(_ byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= expectedByteCount)
        wantedByteCount = byteCount
        isSolicitedAllowed = true
    }

    /// What is on its way is consumed; nothing more is asked for.
    package mutating func fail() { hasFailed = true }

    /// There is something to ask for now.
    package var canRequest: Bool {
        isSolicitedAllowed && !hasFailed && !isUnsolicitedOpen && outstandingCount < limits.maxOutstandingR2T
            && max(requestedByteCount, arrivedByteCount) < wantedByteCount
    }

    package mutating func request(tag: UInt32) -> Request? {
        guard canRequest else { return nil }
        let offset = max(requestedByteCount, arrivedByteCount)
        let byteCount = min(limits.maxBurstByteCount, wantedByteCount - offset)
        outstanding[outstandingCount] = Sequence(targetTransferTag: tag, end: offset + byteCount)
        outstandingCount += 1
        requestedByteCount = offset + byteCount
        defer { r2tCount += 1 }
        return Request(targetTransferTag: tag, r2tSN: r2tCount, bufferOffset: offset, byteCount: byteCount)
    }

    /// One Data-Out has come.
    /// - Returns: how many of its first bytes go to `arrivedByteCount` as it was before the call; the rest is dropped.
    package mutating func receive(_ pdu: SCSIDataOut, byteCount: Int, isIntact: Bool) -> Int {
        let isUnsolicited = pdu.targetTransferTag == TaskTag.reserved
        guard isUnsolicitedOpen || outstandingCount > 0 else {
            refuseUnasked(pdu, byteCount)
            return 0
        }
        let end = isUnsolicitedOpen ? min(limits.firstBurstByteCount, expectedByteCount) : outstanding[0].end
        let dataSN = isUnsolicitedOpen ? unsolicitedDataSN : outstanding[0].dataSN
        let hasTag = isUnsolicitedOpen ? isUnsolicited : pdu.targetTransferTag == outstanding[0].targetTransferTag
        let offset = arrivedByteCount
        let isInOrder = hasTag && pdu.dataSN == dataSN && Int(pdu.bufferOffset) == offset
        if !isInOrder || !isIntact || byteCount > end - offset { hasFailed = true }
        guard !hasFailed else {
            if pdu.isFinal { closeSequence() }
            return 0
        }
        arrivedByteCount += byteCount
        if isUnsolicitedOpen {
            unsolicitedDataSN &+= 1
            if pdu.isFinal { isUnsolicitedOpen = false }
        } else {
            outstanding[0].dataSN &+= 1
            // F stands exactly on the PDU that completes what the R2T asked for.
            if pdu.isFinal != (arrivedByteCount == end) { hasFailed = true }
            if pdu.isFinal || arrivedByteCount == end { closeSequence() }
        }
        return max(0, min(byteCount, wantedByteCount - offset))
    }

    /// Data that nobody asked for, or beyond the first burst. An empty PDU only says that there is no more.
    private mutating func refuseUnasked(_ pdu: SCSIDataOut, _ byteCount: Int) {
        guard byteCount > 0 else { return }
        hasFailed = true
        isUnsolicitedOpen = !pdu.isFinal
    }

    private mutating func closeSequence() {
        if isUnsolicitedOpen {
            isUnsolicitedOpen = false
        } else if outstandingCount > 0 {
            for index in 1..<max(1, outstandingCount) { outstanding[index - 1] = outstanding[index] }
            outstandingCount -= 1
        }
    }
}
