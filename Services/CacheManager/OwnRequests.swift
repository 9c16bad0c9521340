// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import Wire

/// Commands that the cache manager itself gives to volumes, under an instance that lives as long as this process:
/// whatever an earlier run has left open is no repeat of anything here.
struct OwnRequests {
    private struct Open {
        let volume: VolumeID
        let lane: UInt64
        let finish: (VolumeReply) -> Void
    }

    let instance = ServiceInstance(rawValue: Randomness.nonzeroUInt64())
    private var nextNumber: UInt64 = 1
    private var open: [UInt64: Open] = [:]

    /// The request for the volume; `finish` hears its answer.
    /// - Parameter lane: what can be taken back together, as of one nexus.
    mutating func request(
        _ command: VolumeCommand, lane: UInt64, to volume: VolumeID, then finish: @escaping (VolumeReply) -> Void
    ) -> VolumeRequest {
        let number = nextNumber
        nextNumber += 1
        open[number] = Open(volume: volume, lane: lane, finish: finish)
        return VolumeRequest(
            origin: RequestOrigin(frontend: instance, number: number), lowestOpenNumber: open.keys.min() ?? number,
            nexus: lane, command: command)
    }

    /// nil: the request of a frontend, or one that was answered.
    mutating func take(_ origin: RequestOrigin) -> ((VolumeReply) -> Void)? {
        origin.frontend == instance ? open.removeValue(forKey: origin.number)?.finish : nil
    }

    /// Those of a volume that nobody will answer any more.
    /// - Parameter lane: nil: of all lanes.
    mutating func take(
        of volume: VolumeID, lane: UInt64?, where isLost: (RequestOrigin) -> Bool
    ) -> [(VolumeReply) -> Void] {
        let numbers = open.filter { number, request in
            request.volume == volume && (lane == nil || request.lane == lane)
                && isLost(RequestOrigin(frontend: instance, number: number))
        }
        return numbers.keys.sorted().compactMap { open.removeValue(forKey: $0)?.finish }
    }
}
