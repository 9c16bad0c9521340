// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ServiceKit

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what is wrong with the gateway, why, and what to do about it.",
        discussion: """
            Looks at the configuration, the services, the volumes, snapshots and caches, and at the disks of this
            machine. Exits with 0 if there is no problem (warnings do not count), with 78 if the configuration is
            wrong, 69 if a service does not do its work, else with 75.

            Example: sluice doctor --directory data
            """)
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let facts = await facts()
        let findings = Examination.findings(of: facts)
        try output.show(Report(findings: findings, serviceCount: facts.services.count), or: Self.text(findings, facts))
        if let exit = Examination.exitCode(for: findings) { throw ExitCode(exit.rawValue) }
    }

    /// `--json`. Names are a promise to scripts.
    private struct Report: Encodable {
        var findings: [Finding]
        var serviceCount: Int
    }

    private func facts() async -> GatewayFacts {
        do {
            let client = try GatewayClient(gateway)
            var facts = await GatewayFacts.collect(from: client)
            let configuration = client.configuration
            // What services of other machines and containers see is for them to check, at their start.
            let isNetwork = client.directory.isNetwork
            let uses = isNetwork ? [.keys] : DirectoryUse.allCases.filter { $0 != .run }
            facts.configurationProblems += Self.problems { try configuration.checkDirectories(uses) }
            if !isNetwork { facts.configurationProblems += Self.problems { try configuration.checkMemory() } }
            return facts
        } catch {
            var facts = GatewayFacts(softwareVersion: SoftwareVersion.current)
            facts.configurationProblems = Self.problems(error)
            return facts
        }
    }

    private static func problems(_ check: () throws -> Void) -> [String] {
        do {
            try check()
            return []
        } catch {
            return problems(error)
        }
    }

    private static func problems(_ error: any Error) -> [String] {
        guard let error = error as? ConfigurationError else { return [ServiceFailure(describing: error).message] }
        return error.problems.map(\.description)
    }

    private static func text(_ findings: [Finding], _ facts: GatewayFacts) -> String {
        let volumes = facts.volumes.values.reduce(0) { $0 + $1.count }
        let looked = "Looked at \(facts.services.count.counted("service")) and \(volumes.counted("volume")). "
        let problems = findings.filter { $0.severity == .problem }.count
        let warnings = findings.count - problems
        let verdict =
            findings.isEmpty
            ? "Nothing is wrong.\n" : "\(problems.counted("problem")), \(warnings.counted("warning")).\n"
        return findings.map(\.text).joined() + looked + verdict
    }
}
