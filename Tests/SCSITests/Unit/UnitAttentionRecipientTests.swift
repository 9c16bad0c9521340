// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

/// Who is told of what, once.
@Suite struct UnitAttentionRecipientTests {
    private static let softwareWriteProtect: [UInt8] = [
        0, 0, 0, 0, 0x0A, 0x0A, 0, 0x10, 0x08, 0x40, 0, 0, 0xFF, 0xFF, 0, 0,
    ]

    private func expect(
        _ codes: [[UInt16]], after event: (inout UnitOwner) -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var owner = UnitOwner()
        event(&owner)
        let told = UInt64(1)...3
        #expect(told.map { owner.attentions($0) } == codes, sourceLocation: sourceLocation)
        #expect(told.map { owner.attentions($0) } == [[], [], []], sourceLocation: sourceLocation)
    }

    @Test func aNewNexusLearnsOfPowerOnAndAReturningOneOfItsLoss() {
        var owner = UnitOwner(nexuses: [])
        owner.attach(1)
        #expect(owner.attentions(1) == [0x2901])
        owner.attach(1)
        #expect(owner.attentions(1) == [0x2907])
        owner.lose(1)
        owner.attach(1)
        owner.attach(2)
        #expect(owner.attentions(1) == [0x2907] && owner.attentions(2) == [0x2901])
    }

    /// The message that announces a session may come twice; no command comes between.
    @Test func announcingASessionTwiceChangesNothing() {
        var owner = UnitOwner(nexuses: [])
        owner.attach(1)
        owner.attach(1)
        #expect(owner.attentions(1) == [0x2901])
    }

    @Test func aNexusThatIsNotKnownIsTakenInWithoutBeingTold() {
        var owner = UnitOwner(nexuses: [1])
        #expect(owner.send([0x00], from: 9) == .good)
        owner.server.post(.capacityDataHasChanged)
        #expect(owner.admit([0x28], from: 9) == .attention(0x2A09))
        owner.server.post(.inquiryDataHasChanged)
        #expect(owner.admit([0x28], from: 8) == .good)
    }

    @Test func aLostNexusIsNotBroughtBackByALateCommand() {
        var owner = UnitOwner()
        owner.lose(1)
        #expect(owner.send([0x16], from: 1) == .busy)
        owner.reset(.logicalUnit)
        #expect(owner.admit([0x2A], from: 1) == .busy)
        owner.attach(1)
        #expect(owner.attentions(1) == [0x2907])
    }

    @Test func aSessionThatMovedIsNotLostWithItsFormerFrontend() {
        var owner = UnitOwner()
        let other = ServiceInstance(rawValue: 0xF2)
        let nexus = NexusID(rawValue: 1)
        func origin(_ number: UInt64) -> CommandOrigin {
            CommandOrigin(nexus: nexus, frontend: other, number: number, lowestOpenNumber: number)
        }
        owner.server.attach(initiatorPort: UnitOwner.port(1), access: "", from: origin(1))
        // What the former one still sends is not the session's.
        #expect(owner.send([0x00], from: 1) == .busy && owner.admit([0x28], from: 1) == .busy)
        let attention = owner.server.admit(.passesWriteExclusive, from: origin(2))
        #expect(attention == CommandResult(.unitAttention(.nexusLossOccurred)))
        #expect(owner.server.perform(CDB([0x16]), dataOut: [], from: origin(3)) == .complete(.good))
        #expect(owner.server.attachedFrontends[nexus] == other)
        owner.lose(1)
        owner.server.lose(allThrough: UnitOwner.frontend)
        #expect(owner.server.state.reservingNexus == nexus)
        #expect(owner.server.state.nexuses.attached.keys.map(\.rawValue) == [1])
        owner.server.lose(from: origin(4))
        #expect(owner.server.state.reservingNexus == nil)
    }

    /// Only the nexus that has its session through another frontend than before is refused.
    @Test func aSessionGoesOnWhenTheOwnerIsRestarted() throws {
        var owner = UnitOwner(nexuses: [1, 2])
        owner.server.post(.capacityDataHasChanged)
        try owner.restart()
        #expect(owner.server.attachedFrontends.keys.map(\.rawValue).sorted() == [1, 2])
        #expect(owner.server.attachedFrontends.values.allSatisfy { $0 == UnitOwner.frontend })
        #expect(owner.attentions(1) == [0x2A09] && owner.send([0x00], from: 9) == .good)
        #expect(owner.server.attachedFrontends[NexusID(rawValue: 9)] == UnitOwner.frontend)
    }

    @Test func resetsAreToldToAll() {
        expect([[0x2903], [0x2903], [0x2903]]) { $0.reset(.logicalUnit) }
        expect([[0x2902], [0x2902], [0x2902]]) { $0.reset(.targetWarm) }
        expect([[0x2901], [0x2901], [0x2901]]) { $0.reset(.targetCold) }
    }

    @Test func aResetReplacesWhatWasPending() {
        expect([[0x2903], [0x2903], [0x2903]]) {
            $0.server.post(.capacityDataHasChanged)
            $0.reset(.logicalUnit)
        }
    }

    @Test func modeParametersThatChangedAreToldToTheOthers() {
        expect([[0x2A01], [], [0x2A01]]) { owner in
            // The second changes nothing.
            for _ in 0..<2 {
                let answer = owner.send([0x15, 0x10, 0, 0, 16], Self.softwareWriteProtect, from: 2)
                #expect(answer == .good)
            }
        }
    }

    @Test func aChangedUnitIsToldToAll() {
        let changes: [((inout LogicalUnit) -> Void, [UInt16])] = [
            ({ $0.sectorCount += 8 }, [0x2A09]), ({ $0.isReadOnly = true }, [0x2A01]),
            ({ $0.isWriteCacheEnabled = false }, [0x2A01]), ({ $0.revision = "2" }, [0x3F03]),
            ({ $0.targetName += "x" }, [0x3F03]), ({ $0.readiness = .becomingReady }, []), ({ _ in }, []),
            (
                {
                    $0.sectorCount += 8
                    $0.isReadOnly = true
                    $0.product = "OTHER"
                }, [0x2A09, 0x2A01, 0x3F03]
            ),
        ]
        for (change, codes) in changes {
            expect([codes, codes, codes]) {
                var unit = $0.server.unit
                change(&unit)
                $0.server.update(unit)
                #expect($0.server.unit == unit)
            }
        }
    }

    @Test func aThresholdIsToldToAll() {
        expect([[0x3807], [0x3807], [0x3807]]) { $0.server.post(.thinProvisioningSoftThresholdReached) }
    }

    @Test func nexusesAreBounded() {
        var owner = UnitOwner(nexuses: [])
        let limit = UInt64(NexusTable.maximumAttachedCount)
        for nexus in 1...limit {
            let isTaken = owner.server.attach(initiatorPort: "iqn.a", access: "", from: owner.origin(nexus))
            #expect(isTaken)
        }
        let extra = limit + 1
        let isTaken = owner.server.attach(initiatorPort: "iqn.a", access: "", from: owner.origin(extra))
        #expect(!isTaken)
        #expect(owner.send([0x00], from: extra) == .busy && owner.admit([0x28], from: extra) == .busy)
        for nexus in 1...limit { owner.lose(nexus) }
        #expect(owner.server.state.nexuses.attached.isEmpty)
        #expect(owner.server.state.nexuses.lost.count == NexusTable.maximumLostCount)
        owner.attach(limit)
        owner.attach(1)
        #expect(owner.attentions(limit) == [0x2907] && owner.attentions(1) == [0x2901])
    }
}
