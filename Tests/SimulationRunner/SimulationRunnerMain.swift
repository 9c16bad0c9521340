// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import Simulation

/// `sluice-sim`: runs seeds of the storage engine's simulation and says which ones break an invariant.
@main
struct SimulationRunnerMain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-sim",
        abstract: "Run the storage engine against a simulated disk and bucket, one schedule per seed.",
        discussion: """
            sluice-sim --seed 4711 --trace          one seed, step by step
            sluice-sim --seeds 0..<10000            many seeds, ends with what they met
            sluice-sim --seeds 0..<50 --mutant skipIntentSync
            sluice-sim --seeds 0..<200 --mutants            each broken rule must be caught by its invariant
            """)

    @Option(help: "Run this seed.")
    var seed: UInt64?

    @Option(help: ArgumentHelp("Run these seeds.", valueName: "first..<end"))
    var seeds: SeedRange?

    @Option(help: "Commands that the frontends of a seed send.")
    var operations = 2000

    @Option(help: "Break this rule on purpose.")
    var mutant: SimulationMutant?

    @Flag(help: "Break each rule on purpose, one after the other; none may get through all the seeds.")
    var mutants = false

    @Flag(help: "Print every step.")
    var trace = false

    @Flag(help: "Go on after a broken invariant, and count.")
    var keepGoing = false

    func validate() throws {
        guard (seed == nil) != (seeds == nil) else { throw ValidationError("Give either --seed or --seeds.") }
        guard operations > 0 else { throw ValidationError("--operations must be positive.") }
    }

    func run() throws {
        if mutants { return try checkMutants() }
        var options = Simulation.Options()
        options.operations = operations
        options.mutants = mutant?.mutants ?? []
        options.mutantName = mutant?.rawValue
        if trace { options.trace = { print($0) } }
        var run = SimulationRun()
        for number in seed.map({ $0..<$0 + 1 }) ?? seeds?.range ?? 0..<0 {
            let outcome = run.run(seed: number, options: options)
            if let violation = outcome.violation {
                print("seed \(number): \(violation)")
                fflush(nil)  // Seen at once, wherever it goes.
                if !keepGoing { throw ExitCode.failure }
            }
        }
        print(run.table)
        print("\(run.seeds) seeds, \(run.operations) operations, \(run.commits) commits")
        if run.seeds >= 1000, !run.missing.isEmpty {
            print("too rare: \(run.missing.map(\.rawValue).joined(separator: ", "))")
        }
        if !run.violations.isEmpty {
            let byInvariant = Dictionary(grouping: run.violations, by: \.invariant)
            for (invariant, violations) in byInvariant.sorted(by: { $0.value.count > $1.value.count }) {
                print("\(invariant.rawValue): \(violations.count) seeds, such as \(violations.prefix(5).map(\.seed))")
            }
            throw ExitCode.failure
        }
    }

    private func checkMutants() throws {
        var isCaught = true
        for mutant in SimulationMutant.allCases {
            var options = Simulation.Options()
            options.operations = operations
            options.mutants = mutant.mutants
            options.mutantName = mutant.rawValue
            let outcome = (seeds?.range ?? 0..<0).lazy
                .map { Simulation(seed: $0, options: options).run() }
                .first { $0.violation?.invariant == mutant.invariant }
            if let outcome {
                print("\(mutant.rawValue): caught by \(mutant.invariant.rawValue) in seed \(outcome.seed)")
            } else {
                print("\(mutant.rawValue): not caught by \(mutant.invariant.rawValue)")
                isCaught = false
            }
        }
        guard isCaught else { throw ExitCode.failure }
    }
}

extension SimulationMutant: ExpressibleByArgument {}

/// `0..<100`, or one number for a single seed.
struct SeedRange: ExpressibleByArgument {
    var range: Range<UInt64>

    init?(argument: String) {
        let parts = argument.split(separator: "..<", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = UInt64(parts[0]), let end = UInt64(parts[1]), first <= end else {
            return nil
        }
        range = first..<end
    }
}
