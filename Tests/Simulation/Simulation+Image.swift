// SPDX-License-Identifier: Apache-2.0
import Engine
import Wire

/// What the bucket alone holds, read by the production reader that `sluice export` uses.
extension Simulation {
    private enum Difference: Error {
        case sector(UInt64, found: SectorPattern.Stamp?, expected: SectorPattern.Stamp)
        case absent(ObjectKey)
    }

    /// The image of this HEAD is the volume after exactly the commands up to its journal sequence, and its pack table
    /// says what a walk says.
    func checkBucketImage(_ head: Head, _ gateway: SimulatedGateway) throws(Violation) {
        try checkAccounting(head)
        let position = gateway.oracle.position(at: head.journalSequence)
        do { try compareImage(head, gateway, at: position) } catch {
            throw Violation(
                .bucketImageIsPrefix, "HEAD \(head.commitNumber), which covers position \(position): \(error)")
        }
    }

    func checkRetained(_ root: RetainedHead) throws(Violation) {
        do { try compareImage(root.head, gateways[root.gateway], at: root.position) } catch {
            throw Violation(.retainedRootReadsBack, "HEAD \(root.head.commitNumber): \(error)")
        }
    }

    private func checkAccounting(_ head: Head) throws(Violation) {
        do {
            let audit = try RootAudit(head.root, read: readObject)
            for row in audit.rows.values {
                let key =
                    row.kind == .data
                    ? BucketLayout.dataPack(row.owner, row.name) : BucketLayout.mapPack(row.owner, row.name)
                guard let object = store[key], object.bytes.count == Int(row.objectByteCount) else {
                    throw Difference.absent(key)
                }
            }
        } catch Difference.absent(let key) {
            throw Violation(.headNamesOnlyPresentPacks, "the pack table of HEAD \(head.commitNumber) names \(key)")
        } catch {
            throw Violation(.liveBytesEqualWalk, "HEAD \(head.commitNumber): \(error)")
        }
    }

    private var readObject: ObjectReader {
        { [self] key, byteOffset, byteCount in
            try store.range(key, byteOffset: byteOffset, byteCount: byteCount).get()
        }
    }

    private func compareImage(_ head: Head, _ gateway: SimulatedGateway, at position: Int) throws {
        let history = gateway.oracle.history
        let reader = ImageReader(root: head.root, volumeByteCount: head.byteCount, cacheByteCount: 0, read: readObject)
        // Sectors that hold data must be met in a run of data; all others must read as zeros.
        var expected: [UInt64] = []
        history.forEachTouchedSector { sector in
            if history.version(of: sector, at: position).stamp != 0 { expected.append(sector) }
        }
        var next = 0
        try reader.forEachExtent { blocks, content in
            let sectors = blocks.start.rawValue * 8..<blocks.end.rawValue * 8
            guard case .bytes(let bytes) = content else {
                if next < expected.count, expected[next] < sectors.upperBound {
                    throw Difference.sector(
                        expected[next], found: 0, expected: history.version(of: expected[next], at: position).stamp)
                }
                return
            }
            try unsafe bytes.withUnsafeBytes { bytes in
                for sector in sectors {
                    let offset = Int(sector - sectors.lowerBound) * 512
                    let stamp = history.version(of: sector, at: position).stamp
                    let found = unsafe ledger.stamp(
                        of: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 512]), sector: sector,
                        among: [stamp])
                    guard found == stamp else { throw Difference.sector(sector, found: found, expected: stamp) }
                }
            }
            while next < expected.count, expected[next] < sectors.upperBound { next += 1 }
        }
    }
}
