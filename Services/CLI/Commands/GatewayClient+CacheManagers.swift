// SPDX-License-Identifier: Apache-2.0
import Messages
import ServiceKit
import Wire

/// The cache managers of a gateway, each of which has volumes of its own.
extension GatewayClient {
    private struct Owner: Sendable {
        var entry: ServiceEntry
        var volumes: [VolumeDescription]
    }

    /// One that cannot say what it has is passed over for so long as another one can.
    private static let patience = Duration.seconds(5)

    /// Of all cache managers, by name.
    /// - Returns: with them why some may be missing, if one did not answer.
    func volumes() async throws -> (known: [VolumeDescription], problem: ServiceFailure?) {
        let (owners, problem) = try await owners()
        return (owners.flatMap(\.volumes).sorted { ($0.name, $0.id) < ($1.name, $1.id) }, problem)
    }

    /// Asks the cache manager that has the volume.
    func ask<Request: BusRequest>(
        about volume: String, _ request: Request, timeout: Duration = .seconds(30)
    ) async throws -> Request.Reply {
        try await ask(try await cacheManager(having: volume), request, timeout: timeout)
    }

    /// Asks the cache manager that a new volume should come to: the one with the fewest.
    func askForPlace<Request: BusRequest>(
        _ request: Request, timeout: Duration = .seconds(30)
    ) async throws -> Request.Reply {
        try await ask(try await cacheManager(having: nil), request, timeout: timeout)
    }

    /// - Parameter volume: name or id; nil, or one that nobody has: the cache manager with the fewest volumes.
    private func cacheManager(having volume: String?) async throws -> ServiceEntry {
        let running = try await running(.cache)
        guard running.count > 1 else { return running[0] }
        let (owners, problem) = try await owners()
        let having = owners.first { owner in
            owner.volumes.contains { $0.name == volume || $0.id.description == volume }
        }
        if let having { return having.entry }
        // Another one must not be asked to take what the silent one may have.
        if volume != nil, let problem { throw problem }
        // `owners` throws rather than being empty.
        return (owners.min { $0.volumes.count < $1.volumes.count } ?? owners[0]).entry
    }

    private func owners() async throws -> ([Owner], ServiceFailure?) {
        let running = try await running(.cache)
        guard running.count > 1 else {
            let reply = try await ask(running[0], VolumeListRequest(), timeout: .seconds(30))
            return ([Owner(entry: running[0], volumes: reply.volumes)], nil)
        }
        let answers = await withTaskGroup(of: (Int, Result<Owner, any Error>).self) { group in
            for (index, entry) in running.enumerated() {
                group.addTask {
                    do {
                        let reply = try await ask(entry, VolumeListRequest(), timeout: Self.patience)
                        return (index, .success(Owner(entry: entry, volumes: reply.volumes)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var owners: [Owner] = []
        var silence: [String] = []
        var failure: (any Error)?
        for (index, answer) in answers.sorted(by: { $0.0 < $1.0 }) {
            switch answer {
            case .success(let owner): owners.append(owner)
            case .failure(let error):
                failure = error
                let reason = ServiceFailure(describing: error).message
                silence.append("\(running[index].name) does not say which volumes it has: \(reason)")
            }
        }
        if owners.isEmpty, let failure { throw failure }
        let problem = silence.isEmpty ? nil : silence.joined(separator: "; ")
        return (owners, problem.map { ServiceFailure(.temporaryFailure, $0) })
    }
}
