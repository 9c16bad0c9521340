// SPDX-License-Identifier: Apache-2.0
import Simulation
import Testing

/// Whole runs of the simulator; `make sim` runs many more.
struct SimulationTests {
    /// Each of these seeds broke an invariant once.
    @Test(arguments: [20, 215, 721, 871, 874, 1710, 2482, 7003] as [UInt64])
    func keepsEveryInvariant(seed: UInt64) {
        let outcome = Simulation(seed: seed, options: Simulation.Options()).run()
        #expect(outcome.violation == nil)
        #expect(outcome.operations >= 2000 && outcome.commits > 0)
    }

    @Test func theSameSeedIsTheSameSchedule() {
        var options = Simulation.Options()
        options.operations = 300
        let digests = (0..<2).map { _ in Simulation(seed: 7, options: options).run().digest }
        #expect(digests[0] == digests[1])
    }
}
