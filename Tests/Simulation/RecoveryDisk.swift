// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import Platform
import TestSupport

/// A gateway's disk as recovery sees it: reads go past the page cache, and the machine may die half way.
final class RecoveryDisk: SegmentStore {
    private(set) var disk: SimulatedDisk
    private var random: SeededRandom
    /// Writes and syncs that still succeed; nil: all.
    private var stepsLeft: Int?
    private(set) var hasDied = false

    init(_ disk: SimulatedDisk, random: SeededRandom, stepsLeft: Int?) {
        self.disk = disk
        self.random = random
        self.stepsLeft = stepsLeft
    }

    func read(_ segment: SegmentID, byteOffset: Int, byteCount: Int, into buffer: IOBuffer) throws(SystemError) {
        let target = unsafe buffer.bytes(0..<byteCount)
        if let error = unsafe disk.read(segment, byteOffset: byteOffset, into: target, direct: true) { throw error }
    }

    func write(_ segment: SegmentID, byteOffset: Int, _ buffer: IOBuffer) throws(SystemError) {
        try step()
        let bytes = unsafe UnsafeRawBufferPointer(buffer.bytes)
        if case .failure(let error) = unsafe disk.write(segment, byteOffset: byteOffset, bytes) { throw error }
    }

    func sync(_ segment: SegmentID) throws(SystemError) {
        try step()
        guard disk.sync(segment, through: disk.syncPoint, random: &random) else {
            throw SystemError(errorNumber: ENOENT, call: "fdatasync")
        }
    }

    private func step() throws(SystemError) {
        guard let left = stepsLeft else { return }
        guard left > 0 else {
            hasDied = true
            throw SystemError(errorNumber: EINTR, call: "the process died")
        }
        stepsLeft = left - 1
    }
}
