// SPDX-License-Identifier: Apache-2.0
import Foundation

/// How one kind of server is started in a directory of its own, on ports that were free a moment ago.
struct S3ServerRecipe {
    var command: [String]
    var environment: [String: String] = [:]
    var port: UInt16
    var accessKey = "SLUICETESTKEY"
    var secretKey = "sluice-test-secret-0123456789"
    /// Generous: a busy machine with two cores takes many times longer than an idle one.
    var timeout: Duration = .seconds(60)

    /// - Parameter address: what SeaweedFS listens on; the others only serve loopback.
    init(_ kind: S3ServerKind, address: String, directory: String) throws {
        let ports = try LoopbackPorts.free(6)
        port = ports[0]
        command = []
        switch kind {
        case .seaweedFS: try seaweedFS(directory, address, ports)
        case .moto:
            command = [S3Tools.path("moto_server"), "-H", "127.0.0.1", "-p", "\(port)"]
            environment = ["INITIAL_NO_AUTH_ACTION_COUNT": "3"]
        case .rclone: try rclone(directory)
        case .juiceFS:
            command =
                ["bash", S3Tools.script("juicefs.sh"), directory, "\(port)", "\(ports[1])", S3Tools.path("juicefs")]
            environment = ["MINIO_ROOT_USER": accessKey, "MINIO_ROOT_PASSWORD": secretKey]
        case .nanio:
            try makeFolder("\(directory)/data")
            command = [
                S3Tools.path("nanio"), "serve", "--host", "127.0.0.1", "--port", "\(port)", "--data-dir",
                "\(directory)/data", "--no-access-log",
            ]
            environment = ["NANIO_ACCESS_KEY": accessKey, "NANIO_SECRET_KEY": secretKey]
        case .swift:
            accessKey = "acc:gw"
            command = ["bash", S3Tools.script("swift.sh"), directory] + ports.prefix(5).map { "\($0)" }
            environment = ["SECRET_KEY": secretKey]
            timeout = .seconds(120)
        case .cephRGW:
            command = ["bash", S3Tools.script("ceph.sh"), directory] + ports.prefix(3).map { "\($0)" }
            environment = ["ACCESS_KEY": accessKey, "SECRET_KEY": secretKey]
            timeout = .seconds(120)
        }
    }

    /// On one address only, telemetry and everything but S3 off; small volumes, of which each bucket needs some.
    private mutating func seaweedFS(_ directory: String, _ address: String, _ ports: [UInt16]) throws {
        let identities = """
            {"identities":[{"name":"sluice","credentials":[{"accessKey":"\(accessKey)","secretKey":"\(secretKey)"}],\
            "actions":["Admin","Read","Write","List","Tagging"]}]}
            """
        try identities.write(toFile: "\(directory)/s3.json", atomically: true, encoding: .utf8)
        try makeFolder("\(directory)/data")
        command = [
            S3Tools.path("weed"), "-logtostderr=true", "server", "-dir=\(directory)/data", "-ip=\(address)",
            "-ip.bind=\(address)", "-s3", "-s3.port=\(port)", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-s3.config=\(directory)/s3.json", "-filer", "-filer.port=\(ports[1])", "-master.port=\(ports[2])",
            "-volume.port=\(ports[3])", "-master.volumeSizeLimitMB=256", "-volume.max=500",
            "-master.telemetry=false",
        ]
        // One volume per bucket to begin with instead of seven. Nothing of it goes to the home directory.
        environment = ["WEED_MASTER_VOLUME_GROWTH_COPY_1": "1", "HOME": directory]
    }

    private mutating func rclone(_ directory: String) throws {
        try makeFolder("\(directory)/data")
        // Keys by environment, where other users cannot see them, quoted because the value is a list of pairs; no
        // configuration of the user's.
        environment = ["RCLONE_AUTH_KEY": "\"\(accessKey),\(secretKey)\"", "RCLONE_CONFIG": "\(directory)/rclone.conf"]
        command = [
            S3Tools.path("rclone"), "serve", "s3", "--addr", "127.0.0.1:\(port)", "--vfs-cache-mode", "off",
            "\(directory)/data",
        ]
    }

    private func makeFolder(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
}
