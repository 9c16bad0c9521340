// SPDX-License-Identifier: Apache-2.0
import Platform
package import ServiceKit

/// Remembers in the run directory that the bucket has passed the probe, so that an uploader which was killed is back
/// without some hundred requests. The memory is lost at a reboot and void for another bucket, another version of this
/// program, or after a day: a pass can be luck.
package struct ProbeMemory: Sendable {
    private static let validMilliseconds: UInt64 = 86_400_000
    private let path: String
    private let subject: String

    package init(runDirectory: DirectoryPath, bucket: String) {
        path = runDirectory.appending("bucket-probe.passed")
        subject = "\(SoftwareVersion.current) \(bucket)"
    }

    package func hasPassed(now: UInt64) -> Bool {
        guard let bytes = try? FileSystem.readFile(path, limit: 4096),
            let lines = String(validating: bytes, as: UTF8.self)?.split(separator: "\n"), lines.count == 2,
            lines[0] == subject, let time = UInt64(lines[1])
        else { return false }
        return time <= now && now - time < Self.validMilliseconds
    }

    /// What cannot be remembered is found out again.
    package func remember(now: UInt64) {
        try? FileSystem.replace(path, with: "\(subject)\n\(now)\n")
    }
}
