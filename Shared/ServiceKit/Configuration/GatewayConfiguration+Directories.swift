// SPDX-License-Identifier: Apache-2.0
package import Bus
package import Messages
import ObjectStorage
import Platform

/// What a service does with a directory; it checks those that it uses before it does anything else.
package enum DirectoryUse: CaseIterable, Sendable {
    case state, run, journal, cache, bucket
    /// All keys, for checks; a service looks at those that it needs (`busKeys`).
    case keys
}

extension GatewayConfiguration {
    private struct Place {
        var key: String
        var directory: DirectoryPath
        var asOther: CacheDirectoryRule.Other { .init(path: directory.path, use: "of \(key)") }
    }

    private func places(_ use: DirectoryUse) -> [Place] {
        switch use {
        case .state: [Place(key: "state.directory", directory: stateDirectory)]
        case .run: [Place(key: "run.directory", directory: runDirectory)]
        case .journal: journalDirectories.map { Place(key: "journal.directories", directory: $0) }
        case .cache: cacheDirectories.map { Place(key: "cache.directories", directory: $0) }
        case .bucket:
            if case .directory(let path) = (try? bucket())?.url.place {
                [Place(key: "bucket.url", directory: DirectoryPath(path))]
            } else {
                []
            }
        case .keys: []
        }
    }

    /// Those that no cache may be put into.
    package var directoriesBesidesCache: [String] {
        DirectoryUse.allCases.filter { $0 != .cache }.flatMap(places).map(\.directory.path)
    }

    /// Makes the run directory if only it is missing, then checks that the named directories exist, can be written,
    /// that no two keys name the same one, and that the cache has directories of its own. All complaints come at once.
    package func checkDirectories(_ uses: [DirectoryUse]) throws(ConfigurationError) {
        var problems: [ConfigurationError.Problem] = []
        if uses.contains(.run) { makeRunDirectory() }
        if uses.contains(.bucket) {
            do { _ = try bucket() } catch { problems += error.problems }
        }
        for place in uses.flatMap(places) {
            guard let reason = FileSystem.whyNotUsable(directory: place.directory.path) else { continue }
            problems.append(.init(place: "", key: place.key, reason: reason))
        }
        var owners: [String: Place] = [:]
        // Each key is compared with all others, used by this service or not: the mistake is one of the file.
        for place in DirectoryUse.allCases.filter({ $0 != .cache }).flatMap(places) {
            guard let real = FileSystem.realPath(place.directory.path) else { continue }
            if let other = owners.updateValue(place, forKey: real) {
                problems.append(
                    .init(
                        place: "", key: place.key,
                        reason: "\(place.directory) is the same directory as \(other.directory) of \(other.key); "
                            + "each needs its own"))
            }
        }
        var others = DirectoryUse.allCases.filter { $0 != .cache }.flatMap(places).map(\.asOther)
        for place in places(.cache) {
            if let reason = CacheDirectoryRule.refusal(of: place.directory.path, beside: others) {
                problems.append(.init(place: "", key: place.key, reason: reason))
            }
            others.append(place.asOther)
        }
        if uses.contains(.keys), usesNetwork {
            let keys = BusKeyDirectory(busKeysDirectory)
            problems += BusKeyDirectory.error(keys.problems).problems
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
    }

    /// Do services speak to each other over a network?
    package var usesNetwork: Bool { busListen.address != nil || !busServices.isEmpty }

    /// The keys of a process of this kind; nil if it does not need any.
    package func busKeys(of kind: ServiceKind) throws(ConfigurationError) -> BusKeys? {
        guard usesNetwork else { return nil }
        return try BusKeyDirectory(busKeysDirectory).keys(of: kind, reaching: Set(busServices.map(\.kind)))
    }

    private func makeRunDirectory() {
        guard !FileSystem.exists(runDirectory.path) else { return }
        // A failure shows up as "does not exist" in the check that follows, with the path and what to do.
        try? FileSystem.createDirectory(runDirectory.path, permissions: 0o755)
    }
}
