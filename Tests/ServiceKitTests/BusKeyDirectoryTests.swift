// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import Messages
import Platform
import ServiceKit
import TestSupport
import Testing

struct BusKeyDirectoryTests {
    private let directory: TemporaryDirectory
    private let keys: BusKeyDirectory

    init() throws {
        directory = try TemporaryDirectory()
        keys = BusKeyDirectory(DirectoryPath(directory.path + "/keys"))
        try keys.create()
    }

    private func complaints(_ kind: ServiceKind = .cache, reaching: Set<ServiceKind> = []) -> [String] {
        do {
            _ = try keys.keys(of: kind, reaching: reaching)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    private func mode(_ path: String) -> UInt32 {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test func makesAPairForEveryKind() throws {
        let (entries, problems) = keys.contents()
        #expect(entries.map(\.kind) == ServiceKind.allCases && problems.isEmpty)
        #expect(entries.allSatisfy { $0.secretKey?.publicKey == $0.publicKey && $0.problems.isEmpty })
        #expect(Set(entries.map(\.publicKey)).count == ServiceKind.allCases.count)
        #expect(mode(keys.secretPath(.cache)) == 0o600 && mode(keys.publicPath(.cache)) == 0o644)
        #expect(try keys.keys(of: .iscsi, reaching: [.cache]).own == .iscsi)
    }

    @Test func overwritesNothing() throws {
        let before = try FileSystem.readFile(keys.secretPath(.cache), limit: 100)
        #expect(throws: ServiceFailure.self) { try keys.create() }
        #expect(try FileSystem.readFile(keys.secretPath(.cache), limit: 100) == before)
        let empty = BusKeyDirectory(DirectoryPath(try directory.directory("empty")))
        try empty.create()
        #expect(empty.problems.isEmpty)
    }

    @Test func aServiceNeedsItsOwnSecretOnly() throws {
        for kind in ServiceKind.allCases where kind != .cache { try FileSystem.remove(keys.secretPath(kind)) }
        #expect(complaints(reaching: [.uploader]) == [])
        let found = complaints(.uploader)
        #expect(found.count == 1 && found[0].contains("uploader.key is missing"), "\(found)")
        #expect(found[0].contains("sluice keys create") && found[0].hasPrefix("bus.keys_directory: "))
    }

    @Test func saysWhoseKeyIsMissing() throws {
        try FileSystem.remove(keys.publicPath(.uploader))
        try FileSystem.remove(keys.secretPath(.uploader))
        let found = complaints(reaching: [.uploader])
        #expect(found.count == 1 && found[0].contains("uploader.pub is missing"), "\(found)")
        #expect(complaints(reaching: [.iscsi]) == [], "whoever is not named is not needed")
    }

    @Test func saysWhenThereIsNoDirectory() {
        let absent = BusKeyDirectory(DirectoryPath(directory.path + "/absent"))
        #expect(absent.problems.count == 1)
        #expect(absent.problems.first?.contains("does not exist; make the keys with `sluice keys create") == true)
    }

    @Test func aSecretThatOthersMayReadIsRefused() throws {
        #expect(unsafe chmod(keys.secretPath(.cache), 0o640) == 0)
        let found = complaints()
        #expect(found.count == 1 && found[0].contains("(mode 640): chmod 600"), "\(found)")
        #expect(complaints(.iscsi) == [], "another service's secret is none of its business")
    }

    @Test func refusesWhatIsNoKeyOrNotThePairs() throws {
        try FileSystem.replace(keys.publicPath(.iscsi), with: "not a key\n")
        let foreign = try CurveSecretKey.generate().publicKey.text
        try FileSystem.replace(keys.publicPath(.cache), with: foreign)
        try FileSystem.replace(directory.path + "/keys/stranger.pub", with: foreign)
        let found = complaints()
        #expect(found.contains { $0.contains("iscsi.pub holds no key of 40 characters") })
        #expect(found.contains { $0.contains("do not belong together") })
        #expect(found.contains { $0.contains("stranger.pub is named for no kind") })
        #expect(found.count == 3, "\(found)")
    }

    /// With one key for two kinds, either could pass for the other.
    @Test func refusesOneKeyForTwoKinds() throws {
        let key = try FileSystem.readFile(keys.publicPath(.iscsi), limit: 100)
        try FileSystem.replace(keys.publicPath(.uploader), with: String(decoding: key, as: UTF8.self))
        #expect(complaints().contains { $0.contains("is the same key as") })
    }

    @Test func theConfigurationNeedsThemOnlyForANetwork() throws {
        var configuration = GatewayConfiguration()
        configuration.busKeysDirectory = DirectoryPath(directory.path + "/absent")
        #expect(try configuration.busKeys(of: .cache) == nil)
        configuration.busListen = BusListenAddress(ListenAddress(host: "0.0.0.0", port: 7401))
        let error = #expect(throws: ConfigurationError.self) { try configuration.busKeys(of: .cache) }
        #expect(error?.description.contains("does not exist") == true)
        #expect(throws: ConfigurationError.self) { try configuration.checkDirectories([.keys]) }
        configuration.busKeysDirectory = keys.path
        #expect(try configuration.busKeys(of: .cache)?.own == .cache)
        configuration.busListen = BusListenAddress()
        configuration.busServices = [try ServicePlace.parse("cache=cache:7401")]
        #expect(try configuration.busKeys(of: .cli)?.own == .cli)
    }

    @Test(arguments: [
        "cache", "cache=", "cache=cache", "cache=:7401", "cache=cache:0", "disk=cache:7401", "=cache:7401",
    ])
    func refusesOtherPlaces(_ text: String) {
        #expect(throws: ValueRefusal.self) { try ServicePlace.parse(text) }
    }

    @Test func readsPlacesAndAddresses() throws {
        let place = try ServicePlace.parse("cache=[fd00::1]:7401")
        #expect(place == ServicePlace(kind: .cache, address: ListenAddress(host: "fd00::1", port: 7401)))
        #expect(place.configurationText == "cache=[fd00::1]:7401")
        #expect(try BusListenAddress.parse("") == BusListenAddress())
        #expect(try BusListenAddress.parse("0.0.0.0:7401").configurationText == "0.0.0.0:7401")
        for text in ["0.0.0.0:0", "0.0.0.0:65535", "7401"] {
            #expect(throws: ValueRefusal.self) { try BusListenAddress.parse(text) }
        }
    }
}
