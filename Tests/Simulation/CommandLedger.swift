// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Wire

/// A command of a frontend and what the oracle knows of it.
package struct SimulatedCommand {
    package enum State {
        case open
        case answered
        /// The frontend took BUSY for an answer: the command must not be applied any more.
        case refused
        /// Its frontend is gone; it may still be applied, or not.
        case abandoned
    }

    package var origin: RequestOrigin
    package var nexus: UInt64
    package var frontend: Int
    package var gateway: Int
    package var command: VolumeCommand
    package var forcesUnitAccess = false
    /// What its sectors hold afterwards; 0 for zeros.
    package var stamp: SectorPattern.Stamp
    /// What a comparison expects, sector by sector.
    package var expected: [SectorPattern.Stamp] = []
    /// Reads that check a whole image after a recovery, not part of the load.
    package var isAudit = false
    package var state = State.open
    package var sentCount = 0
    /// Sent before the engine's present life began.
    package var lifeWhenSent = 0
    /// Position in the history of the last command acknowledged when this one was first sent: it sees at least that.
    package var knownPosition = 0

    package var changesVolume: Bool {
        switch command {
        case .read, .compare, .prefetch, .flush: false
        case .write, .writeSame, .unmap, .compareAndWrite, .orWrite: true
        }
    }

    /// What it covers; nothing for a flush.
    package var ranges: [SectorRange] {
        switch command {
        case .read(let range), .compare(let range), .prefetch(let range), .write(let range), .writeSame(let range),
            .compareAndWrite(let range), .orWrite(let range):
            [range]
        case .unmap(let ranges): ranges
        case .flush: []
        }
    }
}

/// All commands of a run, by number; a command's stamp is its number plus one, so stamps are never used twice.
package struct CommandLedger {
    package private(set) var commands: [SimulatedCommand] = []
    private var numbers: [RequestOrigin: Int] = [:]
    let mixtures = SectorMixtures()

    package init() {}

    package subscript(_ number: Int) -> SimulatedCommand {
        get { commands[number] }
        _modify { yield &commands[number] }
    }

    package var nextStamp: SectorPattern.Stamp { SectorPattern.Stamp(commands.count + 1) }

    package mutating func add(_ command: SimulatedCommand) -> Int {
        commands.append(command)
        numbers[command.origin] = commands.count - 1
        return commands.count - 1
    }

    /// Whether WRITE SAME wrote what has this stamp.
    package func isFill(_ stamp: SectorPattern.Stamp) -> Bool {
        guard stamp > 0, case .writeSame = commands[Int(stamp) - 1].command else { return false }
        return true
    }

    package func number(of origin: RequestOrigin) -> Int? { numbers[origin] }

    /// A command's payload as its frontend sends it, the same each time.
    package func payload(of number: Int) -> [UInt8] {
        let command = commands[number]
        switch command.command {
        case .read, .prefetch, .unmap, .flush: return []
        case .write(let range), .orWrite(let range): return bytes(range) { _ in command.stamp }
        case .writeSame(let range): return bytes(SectorRange(start: range.start, count: 1)) { _ in command.stamp }
        case .compare(let range): return bytes(range) { command.expected[$0] }
        case .compareAndWrite(let range):
            return bytes(range) { command.expected[$0] } + bytes(range) { _ in command.stamp }
        }
    }

    private func bytes(_ range: SectorRange, stamp: (Int) -> SectorPattern.Stamp) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.byteCount)
        unsafe bytes.withUnsafeMutableBytes { target in
            for index in 0..<Int(range.count) {
                let sector = unsafe UnsafeMutableRawBufferPointer(rebasing: target[index * 512..<(index + 1) * 512])
                unsafe fill(sector, stamp: stamp(index), sector: range.start + UInt64(index))
            }
        }
        return bytes
    }
}
