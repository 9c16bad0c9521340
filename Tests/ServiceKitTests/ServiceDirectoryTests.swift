// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import Messages
import Platform
import ServiceKit
import Synchronization
import TestSupport
import Testing

/// A name server and a clock that do as the test says.
private final class FakeNames: Sendable {
    typealias Answer = Result<[SocketAddress], SocketAddress.ResolutionFailure>

    private let answers = Mutex<[String: Answer]>([:])
    private let lookups = Mutex<[String]>([])
    private let nanoseconds = Mutex<UInt64>(1_000_000_000)
    /// Names that are never answered, until `open` is set.
    private let isOpen = Atomic(false)
    private let silent: Set<String>

    init(silent: Set<String> = []) { self.silent = silent }

    func set(_ host: String, _ answer: Answer) { answers.withLock { $0[host] = answer } }
    func set(_ host: String, _ hosts: [String], port: UInt16 = 7401) {
        set(host, .success(hosts.map { SocketAddress(host: $0, port: port) }))
    }
    func pass(_ duration: Duration) { nanoseconds.withLock { $0 += UInt64(duration.wholeNanoseconds) } }
    func count(_ host: String) -> Int { lookups.withLock { $0.count { $0 == host } } }
    func open() { isOpen.store(true, ordering: .sequentiallyConsistent) }

    func directory(_ places: [String], own: ServiceDirectory.Own? = nil) throws -> ServiceDirectory {
        ServiceDirectory(
            try places.map { try ServicePlace.parse($0) }, own: own,
            resolver: { address throws(SocketAddress.ResolutionFailure) in
                self.lookups.withLock { $0.append(address.host) }
                while self.silent.contains(address.host), !self.isOpen.load(ordering: .sequentiallyConsistent) {
                    usleep(1000)
                }
                let answer = self.answers.withLock { $0[address.host] }
                return try (answer ?? .failure(.unknownName(reason: "no such name"))).get()
            }, now: { self.nanoseconds.withLock { MonotonicInstant(nanoseconds: $0) } })
    }
}

struct ServiceDirectoryTests {
    @Test func showsWhatTheRunDirectoryShows() async throws {
        let directory = try TemporaryDirectory()
        let run = RunDirectory(DirectoryPath(directory.path))
        let living = try run.claim(.cache)
        do { _ = try run.claim(.uploader) }
        let services = ServiceDirectory(run, own: .init(slotName: "cache-0", kind: .cache, port: nil))
        let entries = try await services.entries()
        #expect(entries.map(\.name) == ["cache-0", "uploader-0"])
        #expect(entries.map(\.isRunning) == [true, false])
        #expect(entries.map(\.isOwn) == [true, false])
        #expect(try entries.map(\.endpoint)[0] == living.endpoint())
        #expect(try entries.map(\.dataEndpoint)[0] == living.dataEndpoint())
        #expect(entries[0].processID == getpid())
        #expect(!services.isNetwork && services.absence(of: .iscsi) == "not running")
    }

    @Test func everyAddressOfANameIsAService() async throws {
        let names = FakeNames()
        names.set("cache", ["172.18.0.5", "172.18.0.3"])
        names.set("uploader", ["fd00::9"])
        let services = try names.directory(["uploader=uploader:7401", "cache=cache:7401"])
        let entries = try await services.entries()
        #expect(entries.map(\.name) == ["cache@172.18.0.3", "cache@172.18.0.5", "uploader@fd00::9"])
        #expect(entries.allSatisfy { $0.isRunning && !$0.isOwn && $0.processID == nil })
        #expect(entries[0].endpoint?.description == "tcp://172.18.0.3:7401")
        #expect(entries[0].dataEndpoint?.description == "tcp://172.18.0.3:7402")
        #expect(entries[2].endpoint?.description == "tcp://[fd00::9]:7401" && entries[2].dataEndpoint == nil)
        #expect(services.absence(of: .iscsi) == "not named in bus.services")
    }

    @Test func portsAreNamedOnlyWhereTheyTellTwoApart() async throws {
        let names = FakeNames()
        names.set("one", ["10.0.0.1"], port: 7401)
        names.set("two", ["10.0.0.1"], port: 7501)
        names.set("three", ["10.0.0.1"], port: 7601)
        let services = try names.directory(["cache=one:7401", "cache=two:7501", "exporter=three:7601"])
        #expect(
            try await services.entries().map(\.name) == [
                "cache@10.0.0.1:7401", "cache@10.0.0.1:7501", "exporter@10.0.0.1",
            ])
    }

    @Test func aNameWithoutAnAddressIsAServiceThatDoesNotRun() async throws {
        let names = FakeNames()
        names.set("cache", ["10.0.0.1"])
        let services = try names.directory(["cache=cache:7401", "iscsi=iscsi:7401"])
        let entry = try #require(try await services.entries().first { $0.kind == .iscsi })
        #expect(entry.name == "iscsi@iscsi" && !entry.isRunning && entry.endpoint == nil)
        #expect(entry.absence == "iscsi has no address: no such name")
    }

    @Test func followsReplicasThatComeAndGo() async throws {
        let names = FakeNames()
        names.set("cache", ["10.0.0.1"])
        let services = try names.directory(["cache=cache:7401"])
        #expect(try await services.entries().map(\.name) == ["cache@10.0.0.1"])
        names.set("cache", ["10.0.0.2", "10.0.0.3"])
        #expect(try await services.entries().map(\.name) == ["cache@10.0.0.1"], "remembered for a few seconds")
        #expect(names.count("cache") == 1)
        names.pass(.seconds(4))
        #expect(try await services.entries().map(\.name) == ["cache@10.0.0.2", "cache@10.0.0.3"])
        #expect(names.count("cache") == 2)
    }

    /// A name server that is down says nothing of the services.
    @Test func keepsWhatItKnowsWhileNobodyCanBeAsked() async throws {
        let names = FakeNames()
        names.set("cache", ["10.0.0.1"])
        let services = try names.directory(["cache=cache:7401"])
        _ = try await services.entries()
        names.set("cache", .failure(.temporary(reason: "no name server")))
        names.pass(.seconds(4))
        #expect(try await services.entries().map(\.name) == ["cache@10.0.0.1"])
        names.set("cache", .failure(.unknownName(reason: "gone")))
        names.pass(.seconds(4))
        #expect(try await services.entries().map(\.isRunning) == [false])
    }

    @Test(.timeLimit(.minutes(1))) func aSilentNameServerHoldsUpNobody() async throws {
        let names = FakeNames(silent: ["iscsi"])
        defer { names.open() }
        names.set("cache", ["10.0.0.1"])
        let services = try names.directory(["cache=cache:7401", "iscsi=iscsi:7401"])
        let entries = try await services.entries(patience: .milliseconds(200))
        #expect(entries.map(\.name) == ["iscsi@iscsi", "cache@10.0.0.1"])
        #expect(entries[0].absence == "iscsi has no address: not looked up yet")
        // Whoever comes later does not wait for it again, and nobody for a name of another kind.
        names.pass(.seconds(1))
        let start = ContinuousClock.now
        _ = try await services.entries(patience: .milliseconds(900))
        _ = try await services.entries(of: .cache, patience: .seconds(60))
        #expect(ContinuousClock.now - start < .milliseconds(900))
        #expect(names.count("iscsi") == 1, "one look-up at a time")
    }

    @Test func knowsItself() async throws {
        let names = FakeNames()
        names.set("exporter", ["127.0.0.1", "192.0.2.1"])
        let services = try names.directory(
            ["exporter=exporter:7401"], own: .init(slotName: "exporter-0", kind: .exporter, port: 7401))
        #expect(try await services.entries().filter(\.isOwn).map(\.name) == ["exporter@127.0.0.1"])
    }

    @Test func looksNamesUp() throws {
        let local = try ServiceDirectory.resolve(ListenAddress(host: "localhost", port: 80))
        #expect(local.allSatisfy { $0.port == 80 && $0.isLoopback && $0.isNumeric } && !local.isEmpty)
        #expect(Set(local.map(\.isIPv6)).count == 1, "one family: else each service would be there twice")
        #expect(throws: SocketAddress.ResolutionFailure.self) {
            try ServiceDirectory.resolve(ListenAddress(host: "no-such-name.invalid", port: 80))
        }
    }
}
