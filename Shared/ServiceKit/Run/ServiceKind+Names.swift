// SPDX-License-Identifier: Apache-2.0
package import Messages

extension ServiceKind {
    /// The name in the run directory, in logs and in metrics' labels (ARCHITECTURE: compose name).
    package var shortName: String {
        switch self {
        case .iscsi: "iscsi"
        case .cache: "cache"
        case .uploader: "uploader"
        case .snapshotter: "snapshotter"
        case .exporter: "exporter"
        case .control: "control"
        case .cli: "cli"
        }
    }

    package var executableName: String { self == .cli ? "sluice" : "sluice-\(shortName)" }

    package init?(shortName: String) {
        guard let kind = Self.allCases.first(where: { $0.shortName == shortName }) else { return nil }
        self = kind
    }

    /// Those that `sluice up` runs, in the order of starting; they are stopped in reverse. Data flows from the last
    /// data service to the first, so each drains while what it needs still runs.
    package static let supervised: [ServiceKind] = [.uploader, .cache, .iscsi, .snapshotter, .exporter]
}
