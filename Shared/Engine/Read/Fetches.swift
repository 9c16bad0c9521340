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
    var failures: [Item: Int] = [:]
    /// How often in a row what came was not what was stored.
    var damages: [Item: Int] = [:]

    mutating func forgetFailures(of item: Item) {
        failures[item] = nil
        damages[item] = nil
    }
}

/// What is tried again after a pause.
enum RetryAction {
    case prepareSegment
    case fetch(Fetches.Item)
    case pack(PackBuild)
    case mapPack
    case fold
    case putHead
    case getHead
    case readHead
}
