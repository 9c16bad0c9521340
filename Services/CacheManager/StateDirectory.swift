// SPDX-License-Identifier: Apache-2.0
package import Engine
import Glibc
package import Platform
import ServiceKit
import Synchronization
package import Wire

/// The state directory of a gateway: `gateway.json`, and numbered slots, each with the volumes of one cache manager at
/// a time. A cache manager takes a slot when it starts, and adopts others that nobody holds any more.
package final class StateDirectory: Sendable {
    /// More cache managers of one gateway than this are a mistake.
    private static let slotLimit = 64
    /// One each 10 ms.
    private static let lockAttempts = 300

    package let path: String
    /// Taken at the start. What is new comes here.
    package let slot: StateSlot
    private let adopted = Mutex<[StateSlot]>([])
    private let holder: String

    /// Takes the slots that `holder` had before; else, if nobody else is there, the first one with volumes; else
    /// one that holds nothing. What others had is left to them for a while, and adopted if they do not come back.
    /// - Parameter holder: of the process, the same after a restart.
    /// - Throws: `temporaryFailure` if all slots are held.
    package init(path: String, holder: String) throws {
        self.path = path
        try Platform.FileSystem.makeDurableDirectory(path + "/slots")
        self.holder = holder
        var taken: StateSlot?
        for number in try Self.candidates(in: path, holder: holder) where taken == nil {
            taken = try Self.take(number, in: path)
        }
        guard let slot = taken else {
            throw ServiceFailure(
                .temporaryFailure,
                "\(Self.slotLimit) cache managers use the state directory \(path); stop some, or give this one its own "
                    + "state.directory")
        }
        try slot.note(holder: holder)
        self.slot = slot
        // What it had adopted when it ended.
        for number in try otherSlotNumbers() where StateSlot.lastHolder(number, in: path) == holder {
            guard try !StateSlot.isEmpty(number, in: path), let slot = try Self.take(number, in: path) else { continue }
            adopted.withLock { $0.append(slot) }
        }
    }

    /// Others hold a free slot for a moment to see that it is free.
    private static func take(_ number: Int, in path: String) throws -> StateSlot? {
        for _ in 0..<3 {
            if let slot = try StateSlot(number, in: path) { return slot }
            usleep(10_000)
        }
        return nil
    }

    /// Slots to try, the best first.
    private static func candidates(in path: String, holder: String) throws(SystemError) -> [Int] {
        let known = try slotNumbers(in: path)
        let own = known.filter { StateSlot.lastHolder($0, in: path) == holder }
        var isAlone = true
        var full: [Int] = []
        for number in known {
            if try !StateSlot.isFree(number, in: path) { isAlone = false }
            if try !StateSlot.isEmpty(number, in: path) { full.append(number) }
        }
        let empty = (0..<slotLimit).filter { !full.contains($0) }
        // The second one that starts finds the first slot taken, and a slot of its own behind it.
        return own + (isAlone ? Array(full.prefix(1)) : []) + empty
    }

    /// Those that this cache manager holds, the own one first.
    package var heldSlots: [StateSlot] { [slot] + adopted.withLock { $0 } }

    /// - Parameter folder: of a slot.
    package func folders(_ folder: @escaping @Sendable (StateSlot) -> String) -> SlotFolders {
        SlotFolders { self.heldSlots.map(folder) }
    }

    // MARK: Slots of others

    /// Every slot there is, in order.
    private static func slotNumbers(in path: String) throws(SystemError) -> [Int] {
        try Platform.FileSystem.list(path + "/slots").compactMap { Int($0) }.filter { $0 >= 0 }.sorted()
    }

    private func otherSlotNumbers() throws(SystemError) -> [Int] {
        let held = Set(heldSlots.map(\.number))
        return try Self.slotNumbers(in: path).filter { !held.contains($0) }
    }

    /// All slots at one moment.
    package struct View: Equatable, Sendable {
        /// They hold something, whoever has them.
        package var filled: [Int] = []
        /// They hold something, and nobody has them.
        package var abandoned: [Int] = []
        /// What cannot be told, and why.
        package var problems: [Int: String] = [:]
    }

    /// Blocks.
    package func look() -> View {
        var view = View()
        let held = Set(heldSlots.map(\.number))
        for number in (try? Self.slotNumbers(in: path)) ?? [] {
            do throws(SystemError) {
                guard try !StateSlot.isEmpty(number, in: path) else { continue }
                view.filled.append(number)
                guard !held.contains(number) else { continue }
                if try StateSlot.isFree(number, in: path) { view.abandoned.append(number) }
            } catch {
                view.problems[number] = "\(error)"
            }
        }
        return view
    }

    /// Holds a slot from here on; nil if another cache manager came first. Blocks.
    package func adopt(_ number: Int) throws(SystemError) -> StateSlot? {
        guard let slot = try StateSlot(number, in: path) else { return nil }
        try slot.note(holder: holder)
        adopted.withLock { $0.append(slot) }
        return slot
    }

    /// Lets others have a slot of which nothing could be used.
    package func abandon(_ slot: StateSlot) { adopted.withLock { $0.removeAll { $0 === slot } } }

    /// The volumes of all slots, whoever holds them. Blocks.
    package func volumes() throws(SystemError) -> Set<VolumeID> {
        var volumes: Set<VolumeID> = []
        for number in try Self.slotNumbers(in: path) { volumes.formUnion(try StateSlot.volumes(number, in: path)) }
        return volumes
    }

    /// Held for moments, while something is decided that concerns all slots. Opened anew each time: threads of one
    /// process keep each other out, too.
    private func lockRegistry() throws -> BlockFile {
        let file = try BlockFile(path: path + "/registry.lock", access: .readWrite, creation: .ifMissing)
        for _ in 0..<Self.lockAttempts {
            if try file.tryLock() { return file }
            usleep(10_000)
        }
        throw ServiceFailure(
            .temporaryFailure,
            "another cache manager holds \(file.path) for long: it hangs, and has to go on or end first")
    }

    // MARK: Names

    /// What another cache manager of the gateway has, and who that is, for people.
    enum Conflict: Equatable, Sendable {
        case name(String)
        case volume(String)
    }

    /// Says in this slot that a volume is about to come here, so that no other cache manager of the gateway gives away
    /// its name or opens it, too. Blocks.
    /// - Returns: nil: claimed.
    func claim(_ name: String, _ volume: VolumeID) throws -> Conflict? {
        let lock = try lockRegistry()
        defer { withExtendedLifetime(lock) {} }
        for number in try otherSlotNumbers() {
            if let conflict = try conflict(name, volume, with: number) { return conflict }
        }
        do {
            for claim in [name, "\(volume)"] {
                try Platform.FileSystem.replaceFile("\(slot.claimsPath)/\(claim)", with: [])
            }
        } catch {
            release(name, volume)
            throw error
        }
        return nil
    }

    private func conflict(_ name: String, _ volume: VolumeID, with number: Int) throws -> Conflict? {
        let owner = "another cache manager of this gateway (slot \(number))"
        let claims = try StateSlot.names(of: "claims", number, in: path)
        if claims.contains("\(volume)") { return .volume(owner + " is opening it") }
        if claims.contains(name) { return .name(owner + " is just giving it to a volume") }
        let standbys = StateSlot.path(number, in: path) + "/standbys"
        if Platform.FileSystem.exists("\(standbys)/\(volume).json") { return .volume(owner + " has it on standby") }
        if Platform.FileSystem.exists(standbys) {
            for standby in try StandbyFiles(SlotFolders(standbys)).contents(of: standbys).records {
                if standby.head.name == name { return .name(owner + " has a volume of that name on standby") }
            }
        }
        let registry = VolumeRegistry(SlotFolders(StateSlot.path(number, in: path) + "/volumes"))
        for known in try StateSlot.volumes(number, in: path) {
            if known == volume { return .volume(owner + " has it") }
            // Without a state that can be read it has no name that initiators could see.
            if (try? registry.load(known))?.head.name == name { return .name(owner + " has a volume of that name") }
        }
        return nil
    }

    /// The volume is in the registry, or did not come. Blocks.
    func release(_ name: String, _ volume: VolumeID) {
        // One that stays keeps the name until the next start.
        for claim in [name, "\(volume)"] { _ = try? Platform.FileSystem.remove("\(slot.claimsPath)/\(claim)") }
    }

    // MARK: What all slots share

    /// The gateway's id: read, or drawn and written at the first start. Cache managers that start together agree.
    package func gatewayID(drawing random: () -> UInt64) throws -> GatewayID {
        let file = path + "/gateway.json"
        let lock = try lockRegistry()
        defer { withExtendedLifetime(lock) {} }
        guard Platform.FileSystem.exists(file) else {
            let identity = GatewayIdentity(gateway: GatewayID(rawValue: random()))
            try Platform.FileSystem.replaceFile(file, with: try GatewayIdentityFormat.encode(identity))
            return identity.gateway
        }
        let bytes = try Platform.FileSystem.readFile(file, limit: 64 << 10)
        do throws(EngineError) {
            return try GatewayIdentityFormat.decode(bytes).gateway
        } catch .newerFormat(_, let version) {
            throw ServiceFailure(
                .badData,
                "\(file) was written by a newer program (format \(version), this one knows "
                    + "\(GatewayIdentityFormat.version)): use that one")
        } catch {
            throw ServiceFailure(
                .badData,
                "\(file) cannot be read as a gateway's identity (\(error)); restore it from a backup, "
                    + "or move it away to start as a new gateway")
        }
    }

    /// The cache's directories and size: those set while running, if the configuration is still the one that they
    /// were set in place of.
    package func cacheSettings(configured gateway: CacheSettings) -> StartingCache {
        let configured = CacheSettings(
            configured: slot.cacheDirectories(in: gateway.directories), byteCount: gateway.byteCount)
        let cacheSettingsPath = slot.cacheSettingsPath
        if configured.directories != gateway.directories {
            // One that cannot be made is turned off, as one that is missing.
            for directory in configured.directories { _ = try? Platform.FileSystem.createDirectory(directory) }
        }
        guard Platform.FileSystem.exists(cacheSettingsPath) else {
            save(configured)
            return StartingCache(settings: configured)
        }
        do {
            let bytes = try Platform.FileSystem.readFile(cacheSettingsPath, limit: CacheSettingsFormat.byteLimit)
            let saved = try CacheSettingsFormat.decode(bytes)
            if saved.apply(to: configured) { return StartingCache(settings: saved) }
            save(configured)
            let isOverruled = !saved.isConfigured
            return StartingCache(
                settings: configured,
                dropped: isOverruled
                    ? "cache.directories or cache.size has been changed in the configuration since" : nil,
                abandoned: saved.directories.filter { !configured.directories.contains($0) })
        } catch {
            // Nothing is lost by a cache in other places.
            return StartingCache(settings: configured, dropped: "\(cacheSettingsPath) cannot be used: \(error)")
        }
    }

    /// So that the next start knows which directories this run has used; without it, what they hold stays there.
    private func save(_ settings: CacheSettings) {
        guard let bytes = try? CacheSettingsFormat.encode(settings) else { return }
        try? Platform.FileSystem.replaceFile(slot.cacheSettingsPath, with: bytes)
    }
}

/// Where the read cache is at a start.
package struct StartingCache: Equatable, Sendable {
    package var settings: CacheSettings
    /// Why others that were saved do not hold, for people.
    package var dropped: String?
    /// Directories of the run before that are not used any more.
    package var abandoned: [String] = []
}
