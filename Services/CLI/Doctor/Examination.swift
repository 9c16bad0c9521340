// SPDX-License-Identifier: Apache-2.0
import Messages
package import ServiceKit
import Wire

/// The rules of `sluice doctor`: from facts to findings, the worst first. No input or output of its own.
package struct Examination {
    /// Commits come every few seconds; what is older than this, and than this many commit intervals, does not drain.
    private static let drainSeconds = 60.0
    private static let drainIntervals = 6.0
    /// From here writes are slowed, and held (BackPressure).
    private static let slowPercent = 50.0
    private static let heldPercent = 95.0
    /// A state directory that cannot grow by this soon refuses new volumes and snapshots.
    private static let spareStateByteCount: UInt64 = 64 << 20

    private let facts: GatewayFacts
    private var findings: [Finding] = []

    package static func findings(of facts: GatewayFacts) -> [Finding] {
        var examination = Examination(facts: facts)
        examination.configuration()
        examination.services()
        examination.volumes()
        examination.snapshots()
        examination.caches()
        examination.disks()
        let order: [Finding.Severity] = [.problem, .warning]
        return order.flatMap { severity in examination.findings.filter { $0.severity == severity } }
    }

    /// nil: nothing that a script would have to act on.
    package static func exitCode(for findings: [Finding]) -> ServiceExitCode? {
        let areas = Set(findings.filter { $0.severity == .problem }.map(\.area))
        if areas.contains(.configuration) { return .configuration }
        if areas.contains(.service) { return .unavailable }
        return areas.isEmpty ? nil : .temporaryFailure
    }

    private init(facts: GatewayFacts) { self.facts = facts }

    private mutating func add(
        _ severity: Finding.Severity, _ area: Finding.Area, _ subject: String, _ what: String, advice: String = ""
    ) {
        findings.append(Finding(severity, area, subject, what, advice: advice))
    }

    // MARK: Configuration and services

    private mutating func configuration() {
        for problem in facts.configurationProblems {
            add(
                .problem, .configuration, "configuration", problem,
                advice: "mend it, then start the services again; `sluice config check` looks at it in full")
        }
    }

    private mutating func services() {
        for service in facts.services {
            guard let health = service.health else {
                silent(service)
                continue
            }
            if !health.isReady {
                add(.problem, .service, service.name, "is not ready: \(health.detail)", advice: advice(for: service))
            }
            if health.softwareVersion != facts.softwareVersion {
                add(
                    .warning, .service, service.name,
                    "is version \(health.softwareVersion), this command is \(facts.softwareVersion)",
                    advice: "restart the service if it was replaced on the disk; services of different minor versions "
                        + "work together, but not for good")
            }
        }
    }

    private mutating func silent(_ service: GatewayFacts.Service) {
        let effect =
            switch service.kind {
            case .iscsi: "initiators cannot connect; those that are connected wait and log in again"
            case .cache: "commands of initiators wait for iscsi.command_hold, then they get BUSY"
            case .uploader: "nothing gets to the bucket, and what is only there cannot be read"
            case .snapshotter: "no snapshots are made or listed; those that are promised wait"
            case .exporter: "Prometheus gets no figures"
            case .control, .cli: ""
            }
        let others = facts.services.contains {
            $0.kind == service.kind && $0.name != service.name && $0.health?.isReady == true
        }
        // Of several uploaders or frontends the others do the work.
        let isCovered = others && service.kind != .cache
        let what = service.isRunning ? "does not answer (\(service.silence))" : service.silence
        add(
            isCovered ? .warning : .problem, .service, service.name,
            what + (isCovered ? "; others of its kind do its work" : "; " + effect),
            advice: service.isRunning
                ? "it hangs, has no processor or memory, or the network between lost it: look at its log, then "
                    + "restart it; whatever it was doing is repeated or recovered"
                : "start it: `sluice up`, its systemd unit or `docker compose up -d` does; its log says why it ended")
    }

    private func advice(for service: GatewayFacts.Service) -> String {
        switch service.kind {
        case .cache: "`sluice volume list` shows each volume's state"
        case .iscsi: "see to the cache manager first"
        case .uploader: "check bucket.* in the configuration, the credentials and the way to the store"
        case .snapshotter, .exporter, .control, .cli: "its log has more"
        }
    }

    // MARK: Volumes

    private mutating func volumes() {
        for volume in facts.volumes.sorted(by: { $0.key < $1.key }).flatMap(\.value) {
            state(of: volume)
            buffer(of: volume)
        }
    }

    private mutating func state(of volume: VolumeDescription) {
        let subject = "volume \(volume.name)"
        switch volume.status {
        case .available, .standby, .deleting: break
        case .creating, .opening:
            add(
                .problem, .volume, subject, "does not serve yet: \(volume.statusReason)",
                advice: "commands of initiators wait; it needs the bucket, through an uploader")
        case .uploadStalled:
            add(
                .problem, .volume, subject,
                "serves, but \(ByteSize(byteCount: volume.dirtyByteCount)) do not get to the bucket: "
                    + volume.statusReason,
                advice: bufferForecast(volume) + "see to the bucket and the uploaders; nothing needs to be restarted")
        case .fenced:
            add(
                .problem, .volume, subject, "refuses everything: \(volume.statusReason)",
                advice: "leave it to the gateway that has it now, or take it back with "
                    + "`sluice volume attach \(volume.name) --force`; the journal here is kept either way")
        case .failed:
            add(
                .problem, .volume, subject, "has failed: \(volume.statusReason)",
                advice: "mend the disk, then restart the cache manager; if the journal is lost, "
                    + "`sluice volume attach \(volume.name) --force` opens the newest recovery point")
        }
        if let lease = volume.lease, !lease.isHeld, volume.status != .standby, volume.status != .fenced {
            add(
                .problem, .volume, subject, "answers nothing, because its lease could not be renewed in the bucket",
                advice: "it goes on by itself when the bucket answers, unless a standby has taken it over")
        }
    }

    private mutating func buffer(of volume: VolumeDescription) {
        let subject = "volume \(volume.name)"
        let percent =
            volume.uploadBufferByteCount == 0
            ? 0 : Double(volume.uploadBufferUsedByteCount) / Double(volume.uploadBufferByteCount) * 100
        if percent >= Self.heldPercent {
            add(
                .problem, .volume, subject, "holds writes: its upload buffer is \(Int(percent)) % full",
                advice: "the bucket takes less than initiators write; more uploaders, a faster way to the store or a "
                    + "larger upload buffer help")
        } else if percent >= Self.slowPercent {
            add(
                .warning, .volume, subject, "slows writes down: its upload buffer is \(Int(percent)) % full",
                advice: "the bucket takes less than initiators write; at 95 % writes are held")
        }
        let limit = max(Self.drainSeconds, Self.drainIntervals * Double(volume.commitIntervalSeconds))
        // A stalled volume has said why already.
        guard volume.oldestDirtySeconds > limit, volume.status == .available else { return }
        let age = HumanText.age(seconds: volume.oldestDirtySeconds)
        let why = drainProblem
        add(
            .warning, .volume, subject, "its oldest dirty byte waits for \(age)" + (why.map { ": " + $0 } ?? ""),
            advice: why == nil
                ? "uploads are slower than the commit interval of \(volume.commitIntervalSeconds) s: "
                    + "`sluice_cloud_bytes_uploaded_total` shows how fast they go"
                : "see to that first")
    }

    /// Why uploads may stand still although the volume does not know of it.
    private var drainProblem: String? {
        let uploaders = facts.services.filter { $0.kind == .uploader }
        if uploaders.allSatisfy({ $0.health == nil }) { return "no uploader answers" }
        return uploaders.compactMap(\.health).first { !$0.isReady }.map { "an uploader is not ready: \($0.detail)" }
    }

    private func bufferForecast(_ volume: VolumeDescription) -> String {
        guard volume.oldestDirtySeconds > 1, volume.uploadBufferUsedByteCount > 0 else { return "" }
        let rate = Double(volume.uploadBufferUsedByteCount) / volume.oldestDirtySeconds
        let held = Double(volume.uploadBufferByteCount) * Self.heldPercent / 100
        let seconds = (held - Double(volume.uploadBufferUsedByteCount)) / rate
        guard seconds > 0 else { return "writes are held; " }
        return "at the present rate writes are held in \(HumanText.age(seconds: seconds)); "
    }

    // MARK: Snapshots, caches, disks

    private mutating func snapshots() {
        for snapshot in facts.snapshots ?? [] {
            let subject = "snapshot \(snapshot.id)"
            switch snapshot.state {
            case .error:
                add(
                    .warning, .volume, subject, "of \(snapshot.volumeName) is an error: \(snapshot.reason ?? "")",
                    advice: "nothing can be made from it; `sluice snapshot delete \(snapshot.id)` removes it")
            case .pending:
                guard let reason = snapshot.reason, !reason.isEmpty else { continue }
                add(.warning, .volume, subject, "of \(snapshot.volumeName) waits: \(reason)")
            case .completed, .deleting: break
            }
        }
    }

    private mutating func caches() {
        for (name, cache) in facts.caches.sorted(by: { $0.key < $1.key }) {
            for directory in cache.directories where directory.state == .off {
                add(
                    .warning, .storage, name, "does not use the cache directory \(directory.path)",
                    advice: "reads come from the bucket instead; its log says why. After mending it: "
                        + "`sluice cache remove` and `sluice cache add`, or a restart of the cache manager")
            }
            if cache.indexByteCount > 0, cache.indexUsedByteCount >= cache.indexByteCount / 100 * 99,
                cache.usedByteCount < cache.byteCount / 10 * 9
            {
                add(
                    .warning, .storage, name,
                    "cannot fill its read cache: the index is full at \(ByteSize(byteCount: cache.usedByteCount)) of "
                        + "\(ByteSize(byteCount: cache.byteCount))",
                    advice: "raise cache.index_memory, or lower cache.size")
            }
        }
    }

    private mutating func disks() {
        for disk in facts.disks {
            let free = ByteSize(byteCount: disk.space.freeByteCount)
            if disk.space.isReadOnly {
                add(
                    .problem, .storage, disk.key, "\(disk.path) is mounted read-only",
                    advice: "look at the kernel's log for errors of the disk, mend it and mount it again")
            } else if disk.key == "state.directory", disk.space.freeByteCount < Self.spareStateByteCount {
                add(
                    .problem, .storage, disk.key, "\(disk.path) has only \(free) free",
                    advice: "volumes cannot be made and commits cannot be noted without some: make room")
            } else if disk.space.freeFileCount == 0 {
                add(.problem, .storage, disk.key, "\(disk.path) has no inode left", advice: "remove files")
            }
        }
        journalRoom()
    }

    /// The upload buffer is promised: its disk must have the space that is not filled yet.
    private mutating func journalRoom() {
        let journals = facts.disks.filter { $0.key == "journal.directories" }
        guard !journals.isEmpty else { return }
        let volumes = facts.volumes.values.flatMap(\.self)
        let used = volumes.reduce(UInt64(0)) { $0 + $1.uploadBufferUsedByteCount }
        let reserved = volumes.reduce(UInt64(0)) { $0 + $1.uploadBufferByteCount }
        let missing = reserved - min(used, reserved)
        // Directories of one file system share what it has.
        let free = Dictionary(journals.map { ($0.space.device, $0.space.freeByteCount) }) { first, _ in first }
        let total = free.values.reduce(UInt64(0), +)
        guard total < missing else { return }
        add(
            .warning, .storage, "journal.directories",
            "\(ByteSize(byteCount: total)) are free for the \(ByteSize(byteCount: missing)) of upload buffer that the "
                + "volumes may still fill",
            advice: "make room, or add a directory: on a full disk the buffer is full early and writes are held")
    }
}
