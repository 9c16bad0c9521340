// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import Wire

/// Commands that the cache manager itself gives to volumes, under an instance that lives as long as this process:
/// whatever an earlier run has left open is no repeat of anything here.
struct OwnRequests {
    private let instance = ServiceInstance(rawValue: Randomness.nonzeroUInt64())
    private var nextNumber: UInt64 = 1
    private var open: [UInt64: (VolumeReply) -> Void] = [:]

    /// The request for the volume; `finish` hears its answer.
    mutating func request(_ command: VolumeCommand, then finish: @escaping (VolumeReply) -> Void) -> VolumeRequest {
        let number = nextNumber
        nextNumber += 1
        open[number] = finish
        return VolumeRequest(
            origin: RequestOrigin(frontend: instance, number: number), lowestOpenNumber: open.keys.min() ?? number,
            nexus: 0, command: command)
    }

    /// nil: the request of a frontend, or one that was answered.
    mutating func take(_ origin: RequestOrigin) -> ((VolumeReply) -> Void)? {
        origin.frontend == instance ? open.removeValue(forKey: origin.number) : nil
    }
}
