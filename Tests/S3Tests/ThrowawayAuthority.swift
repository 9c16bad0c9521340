// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOSSL
import TestSupport

/// A certificate authority that nobody knows, made by openssl in a directory of its own.
final class ThrowawayAuthority {
    private let directory: TemporaryDirectory
    /// Its own certificate.
    var file: String { directory.path + "/authority.pem" }

    init() throws {
        directory = try TemporaryDirectory()
        try openSSL(
            "req -x509 \(Self.newKey) -keyout authority.key -out authority.pem -days 2 -subj /CN=Nobody")
    }

    /// What a server with a certificate of this authority needs.
    /// - Parameters:
    ///   - names: whom it is for, such as `DNS:localhost`.
    ///   - days: for how long it is valid; less than 0: it has expired.
    func server(for names: String, days: Int = 2) throws -> TLSConfiguration {
        try openSSL(
            "req \(Self.newKey) -keyout server.key -out server.csr -subj /CN=server -addext subjectAltName=\(names)")
        try openSSL(
            "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -copy_extensions copy "
                + "-days \(days) -out server.pem")
        let chain = try NIOSSLCertificate.fromPEMFile(directory.path + "/server.pem")
        return .makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: directory.path + "/server.key", format: .pem)))
    }

    private static let newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

    private func openSSL(_ arguments: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
        process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(arguments: arguments) }
    }

    private struct Failed: Error { let arguments: String }
}
