// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Messages
import SCSI
import Testing
import Wire

// The registry belongs to this executable alone, so nothing of it is visible from outside.
@testable import ISCSIFrontend

struct SessionRegistryTests {
    private static let manager = CacheLink.State(
        id: CacheLink.ID(rawValue: 1), incarnation: ServiceInstance(rawValue: 1))
    private let target = Target(MemoryVolume(byteCount: 1 << 20).description, at: manager)

    private func identity(_ host: Int, isid: UInt64 = 1, discovery: Bool = false) -> SessionIdentity {
        SessionIdentity(
            initiatorName: "iqn.2026-11.com.example:\(host)", isid: InitiatorSessionID(rawValue: isid),
            targetName: discovery ? nil : target.name)
    }

    private func admit(
        _ registry: SessionRegistry, _ identity: SessionIdentity, tsih: UInt16 = 0, cid: UInt16 = 1, at place: Int = 0
    ) -> SessionRegistry.Verdict {
        registry.admit(
            identity, tsih: tsih, connectionID: cid, target: identity.isDiscovery ? nil : target,
            connection: ConnectionID(index: place, generation: 1))
    }

    private func admitted(_ verdict: SessionRegistry.Verdict) -> Session? {
        if case .admit(let session) = verdict { session } else { nil }
    }
    private func refusal(_ verdict: SessionRegistry.Verdict) -> LoginStatus? {
        if case .refuse(let status) = verdict { status } else { nil }
    }

    @Test func theSameNexusReplacesItsSession() throws {
        let registry = SessionRegistry(limits: FrontendLimits())
        let first = try #require(admitted(admit(registry, identity(1))))
        guard case .replace(let old, let new) = admit(registry, identity(1), at: 1) else {
            Issue.record("not replaced")
            return
        }
        #expect(old === first && new.tsih != first.tsih && new.nexus == first.nexus)
        registry.remove(first)
        #expect(registry.count == 1, "the old session cannot take the new one with it")
        registry.remove(new)
        #expect(registry.count == 0)
        #expect(admitted(admit(registry, identity(1, isid: 2))) != nil)
    }

    @Test func aSessionHandleMustBeTheInitiatorsOwn() throws {
        let registry = SessionRegistry(limits: FrontendLimits())
        let session = try #require(admitted(admit(registry, identity(1))))
        #expect(refusal(admit(registry, identity(2), tsih: session.tsih)) == .sessionDoesNotExist)
        #expect(refusal(admit(registry, identity(1), tsih: session.tsih &+ 1)) == .sessionDoesNotExist)
        #expect(refusal(admit(registry, identity(1), tsih: session.tsih, cid: 2)) == .tooManyConnections)
        guard case .replace = admit(registry, identity(1), tsih: session.tsih) else {
            Issue.record("the same connection is reinstated")
            return
        }
    }

    @Test func sessionsAreBoundedPerInitiatorTargetAndInAll() {
        var limits = FrontendLimits()
        (limits.sessionsPerInitiator, limits.sessionsPerTarget, limits.sessions) = (2, 3, 4)
        limits.discoverySessions = 2
        let registry = SessionRegistry(limits: limits)
        for isid in UInt64(1)...2 { #expect(admitted(admit(registry, identity(1, isid: isid))) != nil) }
        #expect(refusal(admit(registry, identity(1, isid: 3))) == .outOfResources)
        #expect(admitted(admit(registry, identity(2))) != nil)
        #expect(refusal(admit(registry, identity(3))) == .outOfResources)
        // Discovery takes nobody's place but that of an older one.
        let first = admitted(admit(registry, identity(4, discovery: true), at: 8))
        #expect(first != nil && admitted(admit(registry, identity(5, discovery: true), at: 9)) != nil)
        guard case .replace(let old, _) = admit(registry, identity(6, discovery: true), at: 10) else {
            Issue.record("not replaced")
            return
        }
        #expect(old === first && registry.count == 5)
        registry.remove(old)
        #expect(registry.count == 5)
        // Whoever has a place keeps it.
        if case .replace = admit(registry, identity(1, isid: 1)) {} else { Issue.record("not replaced") }
    }

    @Test func sessionHandlesGoAround() throws {
        let registry = SessionRegistry(limits: FrontendLimits())
        var seen: Set<UInt16> = []
        for _ in 0..<2000 {
            let session = try #require(admitted(admit(registry, identity(1))))
            #expect(session.tsih != 0 && seen.insert(session.tsih).inserted)
            registry.remove(session)
        }
    }
}
