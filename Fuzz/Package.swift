// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

/// Fuzz targets for everything that reads bytes of a peer or of a disk; `make fuzz` builds and runs them. A package of
/// its own, because all code in it is compiled for libFuzzer. It has the sources of the main package through the link
/// Shared, and its name, so that it sees what `package` shows.

/// The main package's, but for its warnings as errors: a fuzz run is no place to learn of them.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .strictMemorySafety(),
    // `assert` counts here, at the speed of a release build.
    .unsafeFlags(["-sanitize=fuzzer,address", "-assert-config", "Debug"]),
]
/// LLVM's linker: gold does not understand the debug information of C targets, and without the option a linker takes
/// the coverage counters for unused.
let linking: [LinkerSetting] = [
    .unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "nostart-stop-gc"])
]

/// The engine's formats have no other door: what decodes is internal, as are the journal's parts.
let testable: [SwiftSetting] = [.unsafeFlags(["-enable-testing"])]

func shared(
    _ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = settings
) -> Target {
    .target(name: name, dependencies: dependencies, path: "Shared/\(name)", swiftSettings: settings)
}
func fuzz(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies + ["FuzzSupport", "Wire"], path: "Sources/\(name)",
        swiftSettings: settings, linkerSettings: linking)
}
func support(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(name)", swiftSettings: settings)
}
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")

let package = Package(
    name: "sluice",
    dependencies: [.package(url: "https://github.com/apple/swift-collections", from: "1.6.0")],
    targets: [
        .systemLibrary(name: "CISAL", path: "Shared/CISAL", providers: [.apt(["libisal-dev"])]),
        .systemLibrary(name: "CZstd", path: "Shared/CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CShims", path: "Shared/CShims"),
        .target(name: "CLibFuzzer", path: "Sources/CLibFuzzer"),
        .target(name: "Crypto", path: "Sources/Crypto", swiftSettings: settings),
        shared("Wire", ["CISAL"]),
        shared("Platform", ["CShims", "Wire"]),
        shared("SCSI", ["Wire"]),
        shared("ISCSI", ["Wire", "SCSI", "Crypto"]),
        shared("Messages", ["Wire"]),
        shared("Engine", ["Wire", "Platform", "CZstd", deque], settings: settings + testable),
        support("FuzzSupport", ["CLibFuzzer", "Wire"]),
        support("FuzzInitiator", ["FuzzSupport", "ISCSI"]),
        fuzz("FuzzPDU", ["FuzzInitiator", "ISCSI", "SCSI"]),
        fuzz("FuzzTextKeys", ["FuzzInitiator", "ISCSI"]),
        fuzz("FuzzCDB", ["SCSI"]),
        fuzz("FuzzEnvelope", ["Messages"]),
        fuzz("FuzzJournal", ["Engine", "Platform"]),
        fuzz("FuzzPack", ["Engine", "Platform"]),
    ]
)
