// SPDX-License-Identifier: Apache-2.0
import Engine
import Simulation
import TestSupport
import Testing
import Wire

struct SimulatedStoreTests {
    private let key = ObjectKey("volumes/v/HEAD")

    @Test(arguments: SimulatedStore.TagStyle.allCases)
    func keepsPreconditions(style: SimulatedStore.TagStyle) throws {
        var store = SimulatedStore(tagStyle: style)
        #expect(store.put(key, [1], .matches(EntityTag("x"))) == .failure(.notFound))
        let first = try store.put(key, [1], .absent).get()
        #expect(store.put(key, [2], .absent) == .failure(.preconditionFailed))
        let second = try store.put(key, [2], .matches(first)).get()
        #expect(store.put(key, [3], .matches(first)) == .failure(.preconditionFailed))
        #expect(store[key] == StoredObject(bytes: [2], tag: second))
    }

    @Test func hashedTagsComeBackWithTheBytes() throws {
        var store = SimulatedStore(tagStyle: .hashed)
        let first = try store.put(key, [1], .none).get()
        _ = store.put(key, [2], .none)
        #expect(try store.put(key, [1], .none).get() == first)
    }

    @Test func aStoreThatIgnoresPreconditionsOverwrites() throws {
        var store = SimulatedStore(tagStyle: .numbered, ignoresPreconditions: true)
        _ = store.put(key, [1], .absent)
        _ = try store.put(key, [2], .absent).get()
        #expect(store[key]?.bytes == [2])
    }

    @Test func rangesAreExactOrRefused() throws {
        var store = SimulatedStore(tagStyle: .numbered)
        _ = store.put(key, [1, 2, 3], .none)
        #expect(try store.range(key, byteOffset: 1, byteCount: 2).get() == [2, 3])
        #expect(store.range(key, byteOffset: 2, byteCount: 2) == .failure(.corrupt("short body")))
        #expect(store.range(ObjectKey("absent"), byteOffset: 0, byteCount: 1) == .failure(.notFound))
    }

    @Test func faultsAreDrawnAtTheirRateAndHeal() {
        var rates = StoreFaults.Rates()
        rates.late = 2
        var faults = StoreFaults(rates: rates)
        var random = SeededRandom(seed: 3)
        let plans = (0..<1000).map { _ in faults.planWrite(at: 0, random: &random) }
        let late = plans.filter { ($0.appliesAt ?? 0) >= $0.answersAt && $0.answer != nil }
        #expect(late.count > 400 && late.count < 600)
        faults.beginOutage(until: 1_000_000)
        #expect(faults.planRead(at: 10, random: &random).appliesAt == nil)
        faults.heal()
        for _ in 0..<100 { #expect(faults.planWrite(at: 10, random: &random).answer == nil) }
    }
}
