// SPDX-License-Identifier: Apache-2.0
import Hummingbird
import Logging
import Platform
import ServiceKit
import ServiceLifecycle
import Synchronization

/// `/metrics` and `/health` over HTTP.
struct MetricsServer: Service {
    let address: ListenAddress
    let scraper: Scraper
    let healthReport: @Sendable () async -> HealthReport
    let health: ServiceHealth
    let logger: Logger

    func run() async throws {
        let isListening = Atomic(false)
        do {
            try await application { isListening.store(true, ordering: .relaxed) }.run()
        } catch  where !isListening.load(ordering: .relaxed) {
            // "bind(descriptor:ptr:bytes:): Address already in use) (errno: 98)": only the number is worth something.
            let number = "\(error)".firstMatch(of: /errno: ([0-9]+)/).flatMap { Int32($0.output.1) }
            guard let number else {
                throw ServiceFailure(.cannotCreate, "exporter.listen: cannot listen on \(address): \(error)")
            }
            throw ServiceFailure(
                cannotListen: SystemError(errorNumber: number, call: "cannot listen on", path: "\(address)"),
                key: "exporter.listen")
        }
    }

    private func application(onListening: @escaping @Sendable () -> Void) -> some ApplicationProtocol {
        let router = Router()
        router.get("metrics") { [scraper] _, _ in
            Response(
                status: .ok, headers: [.contentType: PrometheusText.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: await scraper.page())))
        }
        router.get("health") { [healthReport] _, _ in
            let report = await healthReport()
            return Response(
                status: report.isHealthy ? .ok : .serviceUnavailable,
                headers: [.contentType: "text/plain; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: report.text)))
        }
        // Hummingbird logs each request's start and stop at info; this service's log is for its own events.
        var quiet = logger
        quiet.logLevel = max(.warning, logger.logLevel)
        return Application(
            router: router, configuration: .init(address: .hostname(address.host, port: Int(address.port))),
            onServerRunning: { [health, logger, address] _ in
                health.set(ready: true, "serving http://\(address)/metrics")
                logger.info("serving metrics", metadata: ["address": "\(address)"])
                onListening()
            },
            logger: quiet)
    }
}
