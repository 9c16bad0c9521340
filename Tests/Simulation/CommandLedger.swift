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
    /// What its sectors hold afterwards; 0 for zeros.
    package var stamp: SectorPattern.Stamp
    /// What COMPARE AND WRITE expects, sector by sector.
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
        case .read, .flush: false
        case .write, .writeSame, .unmap, .compareAndWrite: true
        }
    }

    /// What it covers; nothing for a flush.
    package var ranges: [SectorRange] {
        switch command {
        case .read(let range), .write(let range, _), .writeSame(let range, _), .compareAndWrite(let range, _): [range]
        case .unmap(let ranges): ranges
        case .flush: []
        }
    }

    package var forcesUnitAccess: Bool {
        switch command {
        case .write(_, let force), .writeSame(_, let force), .compareAndWrite(_, let force): force
        case .read, .unmap, .flush: false
        }
    }

    /// The payload as the frontend sends it, the same each time.
    /// - Parameter isFill: whether what has this stamp was written by WRITE SAME.
    package func payload(isFill: (SectorPattern.Stamp) -> Bool) -> [UInt8] {
        switch command {
        case .read, .unmap, .flush: return []
        case .write(let range, _): return Self.bytes(range, isFill: { _ in false }) { _ in stamp }
        case .writeSame:
            var sector = [UInt8](repeating: 0, count: Geometry.sectorByteCount)
            unsafe sector.withUnsafeMutableBytes { unsafe SectorPattern.fill($0, stamp: stamp, sector: nil) }
            return sector
        case .compareAndWrite(let range, _):
            return Self.bytes(range, isFill: isFill) { expected[$0] }
                + Self.bytes(range, isFill: { _ in false }) { _ in stamp }
        }
    }

    private static func bytes(
        _ range: SectorRange, isFill: (SectorPattern.Stamp) -> Bool, stamp: (Int) -> SectorPattern.Stamp
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.byteCount)
        unsafe bytes.withUnsafeMutableBytes { target in
            for index in 0..<Int(range.count) {
                let sector = unsafe UnsafeMutableRawBufferPointer(rebasing: target[index * 512..<(index + 1) * 512])
                let place = isFill(stamp(index)) ? nil : range.start + UInt64(index)
                unsafe SectorPattern.fill(sector, stamp: stamp(index), sector: place)
            }
        }
        return bytes
    }
}

/// All commands of a run, by number; a command's stamp is its number plus one, so stamps are never used twice.
package struct CommandLedger {
    package private(set) var commands: [SimulatedCommand] = []
    private var numbers: [RequestOrigin: Int] = [:]

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
}
