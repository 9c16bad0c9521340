// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Engine
import Glibc
import ObjectStorage
import Platform
import ServiceKit
import Synchronization
import Wire

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the image of a volume or snapshot, from the bucket alone.",
        discussion: """
            Needs no gateway and changes nothing. Every block is checked against the checksum it got when it was \
            written; damage ends the export with 65. A regular file becomes sparse.

            Examples:
              sluice export --bucket file:///data/bucket --volume db -o db.img
              sluice export --bucket file:///data/bucket --snapshot snap-0123456789abcdef0 > db.img
              sluice export --bucket s3://backups --region eu-central-1 --volume db -o db.img
            """)

    @OptionGroup var bucket: BucketOptions
    @Option(name: .long, help: "Name or id of a volume: its newest recovery point.") var volume: String?
    @Option(name: .long, help: "The id of a snapshot.") var snapshot: SnapshotID?
    @Option(name: .shortAndLong, help: "The file to write (default: standard output).") var output: String?

    func validate() throws {
        guard (volume == nil) != (snapshot == nil) else {
            throw ValidationError("give either --volume or --snapshot")
        }
        if output == nil && isatty(STDOUT_FILENO) == 1 {
            throw ValidationError("a disk image is not for a terminal; give -o FILE, or redirect the output")
        }
    }

    func run() async throws {
        Signals.ignoreBrokenPipes()
        let store = try bucket.open(.readOnly)
        try await ExportSource.check(store)
        let source: ExportSource
        if let snapshot {
            source = try await .snapshot(snapshot, in: store)
        } else {
            source = try await .volume(volume ?? "", in: store)
        }
        let byteCount = try await write(source, from: store)
        let moment = Timestamp(milliseconds: source.cutMilliseconds).iso8601
        StandardError.write(
            "\(source.title) as of \(moment): \(ByteSize(byteCount: source.byteCount)), of which "
                + "\(ByteSize(byteCount: byteCount)) hold data\n")
    }

    /// Reader and writer share a thread that may block; the bucket is served beside it.
    /// - Returns: bytes that are not holes.
    private func write(_ source: ExportSource, from store: any ObjectStore) async throws -> UInt64 {
        let reads = BlockingReads()
        let outcome = ExportOutcome()
        let path = output
        let thread = try IOThread(name: "export") {
            outcome.set(Result { try Self.copy(source, reads, to: path) })
            reads.finish()
        }
        await reads.serve(store)
        await thread.finished()
        return try outcome.get()
    }

    private static func copy(_ source: ExportSource, _ reads: BlockingReads, to path: String?) throws -> UInt64 {
        let file = try ImageFile(path: path)
        let reader = ImageReader(root: source.root, volumeByteCount: source.byteCount, read: reads.read)
        var dataByteCount: UInt64 = 0
        do {
            try reader.forEachExtent { blocks, content in
                switch content {
                case .zero: try file.writeZeros(byteCount: blocks.count * UInt64(Geometry.blockByteCount))
                case .bytes(let bytes):
                    try file.write(bytes[...])
                    dataByteCount += UInt64(bytes.count)
                }
            }
            try file.finish()
        } catch let error as EngineError {
            throw ServiceFailure(.badData, "\(source.title) is damaged in the bucket: \(error)")
        } catch let error as ImageReader.Failure {
            throw ServiceFailure(.badData, "\(source.title) is damaged in the bucket: \(error)")
        } catch ObjectStoreError.notFound(let key) {
            throw ServiceFailure(.badData, "\(source.title) is damaged: its object \(key) is not in the bucket")
        }
        return dataByteCount
    }
}

/// How the export's thread ended; set once before it ends, read once after.
private final class ExportOutcome: Sendable {
    private let result = Mutex<Result<UInt64, any Error>>(.failure(CancellationError()))
    func set(_ result: Result<UInt64, any Error>) { self.result.withLock { $0 = result } }
    func get() throws -> UInt64 { try result.withLock { $0 }.get() }
}
