// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FaultProxy
import Glibc
import UnixSignals

/// `sluice-fault-proxy`: the fault proxy as a program. Prints its counters as JSON when it ends.
@main
struct FaultProxyRunnerMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-fault-proxy",
        abstract: "Stand between an S3 client and an S3 server on loopback, and harm what passes, by plan and seed.",
        discussion: """
            sluice-fault-proxy --upstream http://127.0.0.1:8333 --plan faults.txt --seed 7 --admin-port 0

            A plan has one fault per line, for example:
              latency    delay=20ms jitter=30ms rate=0.2
              status     code=503 retry-after=1 every=50 burst=5 methods=PUT,POST
              lost-reply methods=PUT keys=*/head/* rate=0.01
              outage     from=10s to=15s period=60s
            SIGUSR1 reads the plan's file again and prints the counters.
            """)

    @Option(help: "The server, such as http://127.0.0.1:8333.")
    var upstream: String

    @Option(help: "The port to listen on, on loopback; 0 for any.")
    var port: UInt16 = 0

    @Option(help: "A file with the plan; without one nothing is harmed.")
    var plan: String?

    @Option(help: "Which sequence of faults it is to be.")
    var seed: UInt64 = 1

    @Option(help: "Serve counters and changes of plan on this port on loopback; 0 for any.")
    var adminPort: UInt16?

    func run() async throws {
        let proxy = try await FaultProxy.start(upstream: upstream, plan: try readPlan(), seed: seed, port: port)
        say("listening on \(proxy.endpoint)")
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr1)
        try await withThrowingDiscardingTaskGroup { group in
            if let adminPort {
                let admin = try await AdminServer(proxy: proxy, port: adminPort)
                say("admin on http://127.0.0.1:\(admin.port)")
                group.addTask { await admin.run() }
            }
            for await signal in signals {
                guard signal == .sigusr1 else { break }
                do { try await proxy.install(try readPlan(), seed: seed) } catch {
                    say("the old plan stays: \(error)")
                }
                say(proxy.counters.json)
            }
            group.cancelAll()
        }
        await proxy.stop()
        say(proxy.counters.json)
    }

    private func readPlan() throws -> FaultPlan {
        guard let plan else { return .none }
        guard let stream = unsafe fopen(plan, "r") else { throw ValidationError("\(plan) cannot be read") }
        defer { unsafe fclose(stream) }
        var bytes: [UInt8] = []
        while case let byte = unsafe getc(stream), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return try FaultPlan(text: String(decoding: bytes, as: UTF8.self))
    }

    /// Seen at once, wherever it goes.
    private func say(_ line: String) {
        print(line)
        fflush(nil)
    }
}
