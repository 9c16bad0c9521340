// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
import Platform
import ServiceKit
package import Wire

/// What keeps several cache managers of one gateway from taking one name, or one volume, at the same time.
package struct NameClaims: Sendable {
    private let state: StateDirectory?

    package init(_ state: StateDirectory) { self.state = state }
    private init() { state = nil }
    /// Of a cache manager that shares its state with nobody.
    package static let alone = NameClaims()

    /// Blocks.
    package func claim(_ name: String, _ volume: VolumeID) -> BusFault? {
        do {
            switch try state?.claim(name, volume) {
            case nil: return nil
            case .name(let owner): return BusFault(.nameTaken, "the name \"\(name)\" is taken: \(owner)")
            case .volume(let owner): return BusFault(.inUse, "volume \(name) (\(volume)) cannot come here: \(owner)")
            }
        } catch let failure as ServiceFailure {
            return BusFault(.busy, failure.message)
        } catch {
            return BusFault(.internalError, "whether the name \(name) is free cannot be told: \(error)")
        }
    }

    /// Blocks.
    package func release(_ name: String, _ volume: VolumeID) { state?.release(name, volume) }
}

extension ControlHandler {
    /// Begins `work` once the volume may come here as far as other cache managers of this gateway are concerned, and
    /// keeps them from it until `work` has called what it is given.
    func claim<Reply>(
        _ head: Head, _ answer: @escaping Answer<Reply>,
        _ work: @escaping (@escaping Answer<Reply>) throws(BusFault) -> Void
    ) {
        let (claims, name, volume) = (claims, head.name, head.volume)
        reservedNames.insert(name)
        let before = shard.volumes[volume]
        shard.disk.run {
            claims.claim(name, volume)
        } then: { fault in
            defer { self.shard.settle() }
            if let fault {
                self.reservedNames.remove(name)
                return answer(.failure(fault))
            }
            let end: Answer<Reply> = { result in
                self.reservedNames.remove(name)
                self.shard.disk.run {
                    claims.release(name, volume)
                } then: {
                }
                answer(result)
            }
            self.attempt(end) { () throws(BusFault) in
                // Time has passed: others may have come, and a slot may have been adopted.
                guard self.shard.volumes[volume] === before else {
                    throw BusFault(.inUse, "volume \(name) (\(volume)) has just come here; look at it again")
                }
                _ = try self.admission.uploadBuffer(
                    head.uploadBufferByteCount, among: self.reservations(except: volume))
                try work(end)
            }
        }
    }
}
