// SPDX-License-Identifier: Apache-2.0
import Wire

/// SplitMix64 over a seed that the driver drew; the engine needs it to tell commits apart and to scatter its pauses.
struct EngineRandom {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= SplitMix64.step
        return SplitMix64.finish(state)
    }

    mutating func commitID() -> CommitID { CommitID(high: next(), low: next()) }
}
