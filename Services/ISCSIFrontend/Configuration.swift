// SPDX-License-Identifier: Apache-2.0
package import ISCSI
package import ServiceKit

/// What the iSCSI frontend takes from the gateway's configuration, and the limits that are not configured.
package struct FrontendConfiguration: Sendable {
    package var listen: [ListenAddress]
    /// What discovery names, if initiators reach something else than what is listened on.
    package var advertise: [ListenAddress]
    package var commandHold: Duration
    package var negotiation = NegotiationLimits()
    package var limits = FrontendLimits()

    package init(_ gateway: GatewayConfiguration) {
        listen = gateway.iscsiListen
        advertise = gateway.iscsiAdvertise
        commandHold = gateway.iscsiCommandHold
        limits.writes = FrontendLimits.memory(Int(gateway.iscsiWriteMemory.byteCount))
        limits.reads = FrontendLimits.memory(Int(gateway.iscsiReadMemory.byteCount))
        negotiation.requiresInitialR2T = gateway.iscsiInitialR2T
        negotiation.allowsImmediateData = gateway.iscsiImmediateData
        negotiation.maxBurstByteCount = gateway.iscsiMaxBurst.byteCount
        negotiation.firstBurstByteCount = gateway.iscsiFirstBurst.byteCount
        negotiation.dataSegmentByteCount = Int(gateway.iscsiSegment.byteCount)
        negotiation.requiresHeaderDigest = gateway.iscsiHeaderDigest == .required
        negotiation.requiresDataDigest = gateway.iscsiDataDigest == .required
    }
}

/// Bounds of what initiators may take of this process; times are seconds.
package struct FrontendLimits: Sendable {
    /// Commands that one session may have open.
    package var windowDepth = 128
    package var sessions = 1024
    package var sessionsPerTarget = 64
    /// Of one initiator on one target.
    package var sessionsPerInitiator = 8
    package var discoverySessions = 64
    package var connections = 2048
    /// Connections that have not finished their login.
    package var loginsInProgress = 64
    /// Of these, from one address; local initiators share theirs and are not counted.
    package var loginsPerAddress = 8
    package var loginSeconds: UInt64 = 15
    package var discoveryIdleSeconds: UInt64 = 60
    package var idleSeconds: UInt64 = 30
    package var answerSeconds: UInt64 = 60
    /// A peer that takes nothing of what waits for it.
    package var stallSeconds: UInt64 = 60
    /// After the answer to a logout, for the initiator to close first.
    package var lingerSeconds: UInt64 = 2
    /// At a stop, for initiators to log out.
    package var stopSeconds: UInt64 = 3
    /// Above this a connection's commands are not read until its answers are taken.
    package var outputByteCount = 512 << 10
    /// Data of a write that does not come: its memory is for others then.
    package var dataSeconds: UInt64 = 60
    /// Data of writes on their way to the cache manager.
    var writes = memory(256 << 20)
    /// Data of reads on their way from the cache manager or to the initiator.
    var reads = memory(256 << 20)
    package init() {}

    static func memory(_ byteCount: Int) -> MemoryBudget.Limits {
        MemoryBudget.Limits(
            byteCount: byteCount, shareByteCount: max(16 << 20, byteCount / 8), guaranteedByteCount: 256 << 10)
    }
}
