// SPDX-License-Identifier: Apache-2.0
import Wire

/// What is being fetched from the bucket for reading, and who waits for it. One fetch serves all who want the same.
struct Fetches {
    enum Item: Hashable {
        case node(NodePointer)
        /// For a fold, which keeps what it needs itself.
        case foldNode(NodePointer)
        case frame(FrameReference)
        case directory(PackReference)
    }
    /// A run of blocks that can be looked up again when its nodes are there.
    final class NodeWait {
        let operation: ReadOperation
        let run: BlockRange
        var missing: Int
        /// One of its nodes cannot be had; the others are of no use any more.
        var isOver = false
        init(operation: ReadOperation, run: BlockRange, missing: Int) {
            self.operation = operation
            self.run = run
            self.missing = missing
        }
    }
    struct FrameWait {
        var operation: ReadOperation
        var blocks: BlockRange
        /// Position of the first of them in the frame.
        var firstBlock: Int
    }

    var tokens: [EffectToken: Item] = [:]
    var nodes: [NodePointer: [NodeWait]] = [:]
    var frames: [FrameReference: [FrameWait]] = [:]
    /// Runs that wait for the pack directories that opening needs.
    var waitingForMap: [(operation: ReadOperation, run: BlockRange)] = []
    /// No operation that waits has to end before.
    private(set) var earliestDeadline = UInt64.max
    var failures: [Item: Int] = [:]
    /// How often in a row what came was not what was stored.
    var damages: [Item: Int] = [:]

    /// How many waits there are.
    var waitCount: Int {
        waitingForMap.count + nodes.values.reduce(0) { $0 + $1.count } + frames.values.reduce(0) { $0 + $1.count }
    }

    /// Somebody begins to wait.
    mutating func note(_ operation: ReadOperation) { earliestDeadline = min(earliestDeadline, operation.deadline) }

    /// Takes the waits away whose operations have no time left. What they waited for stays on its way: whoever asks
    /// for it next finds it nearer.
    /// - Returns: the pieces that will not come.
    mutating func removeOverdue(at now: UInt64) -> [(operation: ReadOperation, block: BlockIndex)] {
        guard earliestDeadline <= now else { return [] }
        var overdue: [(ReadOperation, BlockIndex)] = []
        var earliest = UInt64.max
        func isOverdue(_ operation: ReadOperation, _ block: BlockIndex) -> Bool {
            if operation.deadline <= now {
                overdue.append((operation, block))
                return true
            }
            earliest = min(earliest, operation.deadline)
            return false
        }
        waitingForMap.removeAll { isOverdue($0.operation, $0.run.start) }
        // In an order that does not change from run to run.
        for node in nodes.keys.sorted(by: { ($0.pack, $0.byteOffset) < ($1.pack, $1.byteOffset) }) {
            nodes[node]?.removeAll { wait in
                if !wait.isOver { wait.isOver = isOverdue(wait.operation, wait.run.start) }
                return wait.isOver
            }
        }
        for frame in frames.keys.sorted(by: { ($0.pack, $0.byteOffset) < ($1.pack, $1.byteOffset) }) {
            frames[frame]?.removeAll { isOverdue($0.operation, $0.blocks.start) }
        }
        earliestDeadline = earliest
        return overdue
    }

    mutating func forgetFailures(of item: Item) {
        failures[item] = nil
        damages[item] = nil
    }
}

/// What is tried again after a pause.
enum RetryAction {
    case prepareSegment
    case fetch(Fetches.Item)
    case warm(FrameReference)
    case pack(PackBuild)
    case mapPack
    case fold
    case putHead
    case getHead
    case readHead
}
