// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The S3 servers that tests can start, each with what is known to differ.
package enum S3ServerKind: String, CaseIterable, Sendable, CustomStringConvertible {
    /// The main one: checks signatures and checksums and knows both conditional headers.
    case seaweedFS
    /// A quick one in memory, in its signing mode. It closes each connection and believes any checksum.
    case moto
    case rclone
    case juiceFS
    case nanio
    /// OpenStack Swift with s3api.
    case swift
    /// The gateway of a whole Ceph.
    case cephRGW

    /// What becomes of `If-None-Match: *` and `If-Match` on a PUT.
    package enum ConditionalWrites: Sendable { case enforced, ignored, refused }

    package var conditionalWrites: ConditionalWrites {
        switch self {
        case .seaweedFS, .moto, .cephRGW: .enforced
        case .rclone, .juiceFS, .nanio: .ignored
        case .swift: .refused
        }
    }

    /// Those that `make setup-test` installs; the rest comes with `make s3-more`.
    package static let basic: [S3ServerKind] = [.seaweedFS, .moto, .rclone, .nanio]

    package var description: String { rawValue }

    /// Whether it can be started here: `@Test(.enabled(if: S3ServerKind.swift.isInstalled))`.
    package var isInstalled: Bool {
        programs.allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private var programs: [String] {
        switch self {
        case .seaweedFS: [S3Tools.path("weed")]
        case .moto: [S3Tools.path("moto_server")]
        case .rclone: [S3Tools.path("rclone")]
        case .juiceFS: [S3Tools.path("juicefs")]
        case .nanio: [S3Tools.path("nanio")]
        case .swift: ["/usr/bin/swift-proxy-server", "/usr/bin/swift-object-server", "/usr/bin/memcached"]
        case .cephRGW: ["/usr/bin/radosgw", "/usr/bin/ceph-osd"]
        }
    }
}

/// Where `scripts/setup.sh s3` puts programs, and the scripts beside this file.
enum S3Tools {
    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    /// SLUICE_S3_TOOLS names another directory of programs.
    static func path(_ program: String) -> String {
        if let directory = ProcessInfo.processInfo.environment["SLUICE_S3_TOOLS"] { return "\(directory)/\(program)" }
        let root = sources.deletingLastPathComponent().deletingLastPathComponent()
        return root.appendingPathComponent(".tools/venv/bin/\(program)").path
    }

    static func script(_ name: String) -> String { sources.appendingPathComponent("Scripts/\(name)").path }
}
