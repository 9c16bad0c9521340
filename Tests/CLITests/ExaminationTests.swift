// SPDX-License-Identifier: Apache-2.0
import CLI
import Messages
import Platform
import ServiceKit
import Testing
import Wire

struct ExaminationTests {
    private static let version = "1.2.3"

    /// Five services that are ready, and one volume that serves.
    private var sound: GatewayFacts {
        var facts = GatewayFacts(softwareVersion: Self.version)
        facts.services = ServiceKind.supervised.map { service($0) }
        facts.volumes = ["cache-0": [OutputTests.volume]]
        facts.snapshots = []
        facts.disks = [
            .init(key: "state.directory", path: "/s", space: FileSystemSpace(freeByteCount: 1 << 40)),
            .init(key: "journal.directories", path: "/j", space: FileSystemSpace(freeByteCount: 1 << 40)),
        ]
        return facts
    }

    private func service(
        _ kind: ServiceKind, _ number: Int = 0, isReady: Bool = true, detail: String = "", version: String = version
    ) -> GatewayFacts.Service {
        .init(
            name: "\(kind.shortName)-\(number)", kind: kind,
            health: HealthRequest.Reply(
                service: kind, instance: ServiceInstance(rawValue: 1), softwareVersion: version, uptimeSeconds: 60,
                processID: 1, isReady: isReady, detail: detail))
    }

    private func findings(_ change: (inout GatewayFacts) -> Void) -> [Finding] {
        var facts = sound
        change(&facts)
        return Examination.findings(of: facts)
    }

    private func inVolume(_ change: (inout VolumeDescription) -> Void) -> [Finding] {
        findings { change(&$0.volumes["cache-0", default: []][0]) }
    }

    private func silence(_ kind: ServiceKind, isRunning: Bool, _ facts: inout GatewayFacts) {
        facts.services.removeAll { $0.kind == kind }
        facts.services.append(
            .init(
                name: kind.shortName, kind: kind, isRunning: isRunning, health: nil,
                silence: isRunning ? "no answer within 3 s" : "not running"))
    }

    @Test func aSoundGatewayHasNoFindings() {
        #expect(findings { _ in }.isEmpty)
        #expect(Examination.exitCode(for: []) == nil)
    }

    @Test(arguments: ServiceKind.supervised, [true, false])
    func aServiceThatIsGoneOrHangsIsAProblemWithItsEffect(_ kind: ServiceKind, _ isRunning: Bool) throws {
        let found = findings { silence(kind, isRunning: isRunning, &$0) }
        let finding = try #require(found.first { $0.subject == kind.shortName })
        #expect(finding.severity == .problem)
        #expect(finding.what.contains(isRunning ? "does not answer" : "not running"))
        #expect(finding.advice.contains(isRunning ? "hangs" : "start it"))
        #expect(Examination.exitCode(for: found) == .unavailable)
    }

    @Test func oneOfSeveralUploadersIsAWarning() {
        let found = findings {
            silence(.uploader, isRunning: true, &$0)
            $0.services.append(service(.uploader, 1))
        }
        #expect(found.map(\.severity) == [.warning])
        #expect(Examination.exitCode(for: found) == nil)
    }

    @Test func oneOfSeveralCacheManagersIsAProblem() {
        let found = findings {
            silence(.cache, isRunning: true, &$0)
            $0.services.append(service(.cache, 1))
        }
        #expect(found.map(\.severity) == [.problem], "its volumes are served by nobody")
    }

    @Test func aServiceThatIsNotReadySaysWhy() {
        let found = findings {
            $0.services.removeAll { $0.kind == .uploader }
            $0.services.append(service(.uploader, isReady: false, detail: "the store refuses the credentials"))
        }
        #expect(found.count == 1 && found[0].what.contains("refuses the credentials"))
        #expect(found[0].advice.contains("bucket."))
    }

    @Test func aServiceOfAnotherVersionIsAWarning() {
        let found = findings { $0.services[0] = service(.uploader, version: "1.3.0") }
        #expect(found.map(\.severity) == [.warning] && found[0].what.contains("1.3.0"))
    }

    @Test func configurationComesFirstInTheExitStatus() {
        let found = findings {
            $0.configurationProblems = ["gateway.yaml:3: journal.size: too small"]
            silence(.cache, isRunning: false, &$0)
        }
        #expect(found[0].subject == "configuration")
        #expect(Examination.exitCode(for: found) == .configuration)
    }

    @Test(arguments: [VolumeStatus.opening, .creating, .uploadStalled, .fenced, .failed])
    func aVolumeThatDoesNotServeSaysWhy(_ status: VolumeStatus) {
        let found = inVolume {
            $0.status = status
            $0.statusReason = "for a reason"
        }
        #expect(found.count == 1 && found[0].severity == .problem && found[0].what.contains("for a reason"))
        #expect(Examination.exitCode(for: found) == .temporaryFailure)
    }

    @Test(arguments: [VolumeStatus.available, .standby, .deleting])
    func aVolumeThatIsAsItShouldBeIsNoFinding(_ status: VolumeStatus) {
        #expect(inVolume { $0.status = status }.isEmpty)
    }

    @Test func aLeaseThatLapsedIsAProblem() {
        let found = inVolume { $0.lease = VolumeLease(milliseconds: 30_000, isHeld: false) }
        #expect(found.count == 1 && found[0].what.contains("lease"))
        #expect(inVolume { $0.lease = VolumeLease(milliseconds: 30_000, isHeld: true) }.isEmpty)
    }

    @Test func dirtyDataThatDoesNotDrainSaysWhatHoldsItUp() {
        let old = inVolume { $0.oldestDirtySeconds = 61 }
        #expect(old.count == 1 && old[0].severity == .warning && old[0].advice.contains("commit interval"))
        #expect(inVolume { $0.oldestDirtySeconds = 59 }.isEmpty)
        #expect(
            inVolume {
                $0.oldestDirtySeconds = 299
                $0.commitIntervalSeconds = 60
            }.isEmpty, "commits are that rare")
        let lonely = findings {
            $0.volumes["cache-0", default: []][0].oldestDirtySeconds = 61
            silence(.uploader, isRunning: false, &$0)
        }
        #expect(lonely.contains { $0.subject == "volume db" && $0.what.contains("no uploader answers") })
    }

    @Test func aFullBufferIsToldBeforeWritesAreHeld() {
        func percent(_ percent: UInt64) -> [Finding.Severity] {
            inVolume { $0.uploadBufferUsedByteCount = $0.uploadBufferByteCount / 100 * percent + 100 }.map(\.severity)
        }
        #expect(percent(40).isEmpty)
        #expect(percent(60) == [.warning])
        #expect(percent(96) == [.problem])
    }

    @Test func anOutageSaysHowLongWritesGoOn() {
        let found = inVolume {
            $0.status = .uploadStalled
            $0.uploadBufferUsedByteCount = $0.uploadBufferByteCount / 4
            $0.oldestDirtySeconds = 100
        }
        // Three quarters of 95 % are left, at a quarter in 100 s.
        #expect(found.first?.advice.contains("held in 4 min") == true, "\(found)")
    }

    @Test func disksThatAreFullOrReadOnlyAreTold() {
        let gone = FileSystemSpace(freeByteCount: 1 << 40, isReadOnly: true)
        #expect(findings { $0.disks[1].space = gone }.first?.what.contains("read-only") == true)
        #expect(findings { $0.disks[0].space.freeByteCount = 1 << 20 }.map(\.severity) == [.problem])
        #expect(findings { $0.disks[0].space.freeFileCount = 0 }.map(\.severity) == [.problem])
        let tight = findings { $0.disks[1].space.freeByteCount = 500 << 20 }
        #expect(tight.map(\.severity) == [.warning] && tight[0].what.contains("upload buffer"))
    }

    @Test func directoriesOfOneFileSystemShareItsSpace() {
        let found = findings {
            let half = FileSystemSpace(freeByteCount: 600 << 20)
            $0.disks[1].space = half
            $0.disks.append(.init(key: "journal.directories", path: "/k", space: half))
        }
        #expect(found.count == 1, "600 MiB twice are not 1.2 GiB")
    }

    @Test func aCacheThatIsOffOrHasNoIndexLeftIsAWarning() {
        func cache(off: Bool, index: UInt64) -> CacheDescription {
            CacheDescription(
                directories: [
                    .init(path: "/c", state: off ? .off : .inUse, byteCount: 1 << 30, usedByteCount: 1, errorCount: 0)
                ],
                byteCount: 1 << 30, usedByteCount: 1 << 28, frameCount: 1, indexByteCount: 1 << 20,
                indexUsedByteCount: index, hitCount: 0, missCount: 0, damagedCount: 0, isConfigured: true)
        }
        #expect(findings { $0.caches["cache-0"] = cache(off: false, index: 1000) }.isEmpty)
        #expect(findings { $0.caches["cache-0"] = cache(off: true, index: 1000) }.first?.what.contains("/c") == true)
        let full = findings { $0.caches["cache-0"] = cache(off: false, index: 1 << 20) }
        #expect(full.first?.advice.contains("cache.index_memory") == true)
    }
}
