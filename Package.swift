// swift-tools-version: 6.2
import PackageDescription

/// One table of who may import whom; `make tidy` holds the sources to it (docs/ARCHITECTURE.md draws it).
let strict = Context.environment["SLUICE_WARNINGS_AS_ERRORS"] != nil
let settings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("ExistentialAny"),
        .strictMemorySafety(),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

func shared(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Shared/\(name)", swiftSettings: settings)
}
func service(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: "Services/\(name)", swiftSettings: settings)
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: settings)
}
func package(_ product: String, _ name: String) -> Target.Dependency { .product(name: product, package: name) }

let logging = package("Logging", "swift-log")
let lifecycle = package("ServiceLifecycle", "swift-service-lifecycle")
let signals = package("UnixSignals", "swift-service-lifecycle")
let arguments = package("ArgumentParser", "swift-argument-parser")
let yaml = package("Yams", "Yams")
let http = package("Hummingbird", "hummingbird")
let deque = package("DequeModule", "swift-collections")
let nioCore = package("NIOCore", "swift-nio")
let nioPosix = package("NIOPosix", "swift-nio")
let nioHTTP = package("NIOHTTP1", "swift-nio")
let nioSSL = package("NIOSSL", "swift-nio-ssl")
let crypto = package("Crypto", "swift-crypto")
let s3Client = [
    package("AsyncHTTPClient", "async-http-client"), crypto, nioCore, nioPosix, nioHTTP,
    nioSSL,
]

let targets: [Target] = [
    .systemLibrary(name: "CISAL", path: "Shared/CISAL", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(
        name: "CZeroMQ", path: "Shared/CZeroMQ", pkgConfig: "libzmq", providers: [.apt(["libzmq3-dev"])]),
    .systemLibrary(name: "CZstd", path: "Shared/CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "CShims", path: "Shared/CShims"),
    shared("Wire", ["CISAL"]),
    shared("Platform", ["CShims", "Wire"]),
    shared("SCSI", ["Wire"]),
    shared("ISCSI", ["Wire", "SCSI", crypto]),
    shared("Messages", ["Wire"]),
    shared("ObjectStorage", ["Wire", "Platform"]),
    shared("S3", ["ObjectStorage", "Wire", "Platform"] + s3Client),
    shared("Engine", ["Wire", "Platform", "CZstd", deque]),
    shared("Bus", ["CZeroMQ", "Platform", "Messages", "Wire", logging]),
    shared(
        "ServiceKit",
        [
            "Bus", "Platform", "Messages", "ObjectStorage", "Wire", logging, lifecycle, signals, arguments, yaml,
        ]),
    service(
        "ISCSIFrontend",
        ["Wire", "Platform", "SCSI", "ISCSI", "Messages", "Bus", "ServiceKit", logging, lifecycle, arguments, yaml]),
    service(
        "CacheManager",
        ["Wire", "Platform", "SCSI", "Messages", "Bus", "Engine", "ServiceKit", logging, lifecycle, arguments]),
    service(
        "Uploader",
        [
            "Wire", "Platform", "Messages", "Bus", "Engine", "ObjectStorage", "S3", "ServiceKit", logging, lifecycle,
            arguments,
        ]),
    service(
        "Snapshotter",
        [
            "Wire", "Platform", "Messages", "Bus", "Engine", "ObjectStorage", "S3", "ServiceKit", logging, lifecycle,
            arguments,
        ]),
    service(
        "MetricsExporter", ["Wire", "Platform", "Messages", "Bus", "ServiceKit", logging, lifecycle, arguments, http]),
    service(
        "CLI",
        [
            "Wire", "Platform", "Messages", "Bus", "Engine", "ObjectStorage", "S3", "ServiceKit", logging, lifecycle,
            arguments,
        ]),
    .target(
        name: "TestSupport", dependencies: ["Wire", "Platform", "Engine", "ObjectStorage", "ISCSI", "SCSI"],
        path: "Tests/TestSupport", swiftSettings: settings),
    .target(
        name: "TestInitiator", dependencies: ["Wire", "SCSI", "ISCSI"], path: "Tests/TestInitiator",
        swiftSettings: settings),
    .target(name: "GatewayHarness", path: "Tests/GatewayHarness", swiftSettings: settings),
    .executableTarget(
        name: "CrashRunner",
        dependencies: ["TestInitiator", "GatewayHarness", "S3Servers", "FaultProxy", "Wire", arguments],
        path: "Tests/CrashRunner", swiftSettings: settings),
    tests(
        "IntegrationTests",
        [
            "GatewayHarness", "TestInitiator", "S3Servers", "S3", "ObjectStorage", "ObjectStoreConformance", "Wire",
            "FaultProxy",
        ]),
    .target(
        name: "S3Servers", dependencies: ["GatewayHarness"], path: "Tests/S3Servers", exclude: ["Scripts"],
        swiftSettings: settings),
    .target(
        name: "FaultProxy", dependencies: [nioCore, nioPosix, nioHTTP], path: "Tests/FaultProxy",
        swiftSettings: settings),
    .executableTarget(
        name: "FaultProxyRunner", dependencies: ["FaultProxy", signals, arguments], path: "Tests/FaultProxyRunner",
        swiftSettings: settings),
    tests("S3ServersTests", ["S3Servers", "GatewayHarness", "FaultProxy"]),
    tests("FaultProxyTests", ["FaultProxy", nioCore, nioPosix, nioHTTP]),
    tests("WireTests", ["Wire", "TestSupport"]),
    tests("PlatformTests", ["Platform", "Wire", "TestSupport"]),
    tests("SCSITests", ["SCSI", "Wire", "TestSupport"]),
    tests("ISCSITests", ["ISCSI", "SCSI", "Wire", "TestSupport"]),
    tests("MessagesTests", ["Messages", "Wire", "TestSupport"]),
    tests("BusTests", ["Bus", "Messages", "Platform", "Wire", "TestSupport", logging]),
    .target(
        name: "ObjectStoreConformance", dependencies: ["ObjectStorage", "Wire"], path: "Tests/ObjectStoreConformance",
        swiftSettings: settings),
    tests(
        "UploaderTests",
        ["Uploader", "Bus", "ServiceKit", "Engine", "ObjectStorage", "Messages", "Platform", "Wire", "TestSupport"]),
    tests(
        "SnapshotterTests",
        [
            "Snapshotter", "ServiceKit", "Engine", "ObjectStorage", "Messages", "Platform", "Wire", "TestSupport",
            logging,
        ]),
    tests("ObjectStorageTests", ["ObjectStorage", "ObjectStoreConformance", "Wire", "TestSupport"]),
    tests("S3Tests", ["S3", "ObjectStorage", "Wire", "TestSupport", nioCore, nioPosix, nioHTTP, nioSSL]),
    tests("EngineTests", ["Engine", "Platform", "Wire", "TestSupport"]),
    tests(
        "CacheManagerTests",
        ["CacheManager", "Engine", "Platform", "Messages", "SCSI", "ServiceKit", "Wire", "TestSupport", logging]),
    .target(
        name: "Simulation", dependencies: ["Engine", "Platform", "Wire", "TestSupport"], path: "Tests/Simulation",
        swiftSettings: settings),
    .executableTarget(
        name: "SimulationRunner", dependencies: ["Simulation", "Engine", arguments], path: "Tests/SimulationRunner",
        swiftSettings: settings),
    tests("SimulationTests", ["Simulation", "Engine", "Platform", "Wire", "TestSupport"]),
    tests(
        "ServiceKitTests",
        ["ServiceKit", "Bus", "Messages", "ObjectStorage", "Platform", "Wire", "TestSupport", logging, lifecycle]),
    tests(
        "ISCSIFrontendTests",
        [
            "ISCSIFrontend", "ISCSI", "SCSI", "Messages", "Bus", "Platform", "ServiceKit", "Wire", "TestSupport",
            "TestInitiator", logging,
        ]),
    tests("MetricsExporterTests", ["MetricsExporter", "ServiceKit", "Messages", "Platform", "Wire", "TestSupport"]),
    tests(
        "CLITests",
        ["CLI", "ServiceKit", "Engine", "ObjectStorage", "Messages", "Platform", "Wire", "TestSupport", arguments]),
]

let package = Package(
    name: "sluice",
    products: [
        .executable(name: "sluice-iscsi", targets: ["ISCSIFrontend"]),
        .executable(name: "sluice-cache", targets: ["CacheManager"]),
        .executable(name: "sluice-uploader", targets: ["Uploader"]),
        .executable(name: "sluice-snapshotter", targets: ["Snapshotter"]),
        .executable(name: "sluice-exporter", targets: ["MetricsExporter"]),
        .executable(name: "sluice", targets: ["CLI"]),
        .executable(name: "sluice-crash", targets: ["CrashRunner"]),
        .executable(name: "sluice-sim", targets: ["SimulationRunner"]),
        .executable(name: "sluice-fault-proxy", targets: ["FaultProxyRunner"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    ],
    targets: targets
)
