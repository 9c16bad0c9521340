// SPDX-License-Identifier: Apache-2.0
import Engine
import Testing
import Wire

@Suite struct PackReservationsTests {
    private var packs = PackReservations(limit: 2)
    private let first = VolumeID(rawValue: 1)
    private let second = VolumeID(rawValue: 2)

    @Test mutating func answersInTheOrderOfAskingUpToTheLimit() {
        for number in 1...3 as ClosedRange<UInt64> { packs.request(EffectToken(rawValue: number), of: first) }
        packs.request(EffectToken(rawValue: 4), of: second)
        #expect(packs.next()?.token.rawValue == 1)
        #expect(packs.next()?.token.rawValue == 2)
        #expect(packs.next() == nil)
        packs.release(of: first)
        #expect(packs.next()?.token.rawValue == 3)
        packs.release(of: first)
        let last = packs.next()
        #expect(last?.volume == second && last?.token.rawValue == 4)
    }

    @Test mutating func aVolumeThatLeavesGivesBackWhatItHeldAndAskedFor() {
        for number in 1...3 as ClosedRange<UInt64> { packs.request(EffectToken(rawValue: number), of: first) }
        packs.request(EffectToken(rawValue: 4), of: second)
        while packs.next() != nil {}
        packs.forget(first)
        #expect(packs.next()?.volume == second)
        #expect(packs.next() == nil)
        packs.release(of: second)
        #expect(packs.isUnused)
    }
}
