// SPDX-License-Identifier: Apache-2.0
import Foundation
import ISCSI
import ServiceKit
import TestSupport
import Testing

@testable import ISCSIFrontend

/// The access file: what it says, and what is said of one that cannot be used. Testable: the parser is the frontend's
/// own.
@Suite struct AccessRulesTests {
    private let directory = try? TemporaryDirectory()

    private func rules(_ text: String, mode: Int = 0o600) throws -> AccessRules {
        let file = try #require(directory).path + "/access.yaml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return try AccessFileParser.rules(of: file)
    }

    /// - Returns: what is wrong with it.
    private func problems(_ text: String, mode: Int = 0o600) -> String {
        do {
            _ = try rules(text, mode: mode)
            return ""
        } catch {
            return "\(error)"
        }
    }

    private static let first = "iqn.1993-08.org.debian:01:a"
    private static let second = "iqn.1993-08.org.debian:01:b"

    @Test func withoutAFileEverythingIsOpen() {
        #expect(AccessRules().access(to: "db", Self.first, at: "10.1.2.3") == .open)
        #expect(AccessRules().discovery(by: Self.first, at: "::1") == .open)
    }

    @Test func theFirstRuleThatFitsDecides() throws {
        let rules = try rules(
            """
            rules:
              - {volumes: db, initiators: ["\(Self.first)"], networks: [10.1.0.0/16]}
              - {volumes: [db, log], initiators: "\(Self.second.uppercased())"}
            """)
        #expect(rules.access(to: "db", Self.first, at: "10.1.9.9") == .open)
        #expect(rules.access(to: "db", Self.first, at: "10.2.0.1") == .refused)
        #expect(rules.access(to: "log", Self.first, at: "10.1.9.9") == .refused)
        #expect(rules.access(to: "db", Self.second, at: "2001:db8::1") == .open)
        #expect(rules.access(to: "other", Self.first, at: "10.1.9.9") == .refused, "closed unless it is said")
        #expect(rules.discovery(by: Self.first, at: "10.9.9.9") == .open)
    }

    @Test func whatNoRuleNamesIsAsTheDefaultSays() throws {
        let rules = try rules("default: open\nrules:\n  - {volumes: [db], initiators: [\"\(Self.first)\"]}")
        #expect(rules.access(to: "other", Self.second, at: "10.1.9.9") == .open)
        #expect(rules.access(to: "db", Self.second, at: "10.1.9.9") == .refused)
    }

    @Test func secretsComeFromTheFileOrFromFilesBesideIt() throws {
        let path = try #require(directory).path + "/secret"
        try "twelve bytes+\n".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let rules = try rules(
            """
            digest: sha256
            discovery: {networks: [127.0.0.1], chap: [{secret: "discovery secret"}]}
            rules:
              - volumes: ["*"]
                chap:
                  - {user: alice, secret_file: secret, mutual_user: sluice, mutual_secret: "another secret"}
            """)
        let mutual = CHAPCredentials.Mutual(userName: "sluice", secret: CHAPSecret("another secret"))
        let alice = try CHAPCredentials(userName: "alice", secret: CHAPSecret("twelve bytes+"), mutual: mutual)
        #expect(rules.access(to: "any", Self.first, at: "10.0.0.1") == .chap([alice]))
        #expect(rules.algorithms == CHAPAlgorithm.atLeast(.sha256))
        #expect(rules.discovery(by: Self.first, at: "10.0.0.1") == .refused)
        #expect(rules.discovery(by: Self.first, at: "127.0.0.1").requiresAuthentication)
        #expect("\(rules)".contains("alice") && !"\(rules)".contains("twelve"), "no secret is printed")
    }

    @Test(
        arguments: [
            ("rules: [{volumes: [db], initators: x}]", "unknown key initators"),
            ("rules: [{initiators: [iqn.2026-11.a:b]}]", "needs volumes"),
            ("rules: [{volumes: [db], initiators: [host]}]", "no iSCSI name"),
            ("rules: [{volumes: [db], networks: [10.0.0.0/33]}]", "no network"),
            ("rules: [{volumes: [db], chap: []}]", "is empty"),
            ("rules: [{volumes: [db], chap: [{user: a}]}]", "needs secret or secret_file"),
            ("rules: [{volumes: [db], chap: [{secret: short}]}]", "at least 12"),
            ("rules: [{volumes: [db], chap: [{secret: 12345678901234567}]}]", "at most 16"),
            ("rules: [{volumes: [db], chap: [{secret_file: missing}]}]", "cannot be read"),
            (
                "rules: [{volumes: [db], chap: [{secret: same secret 1, mutual_secret: same secret 1}]}]",
                "has to differ"
            ),
            ("default: maybe", "open or closed"), ("digest: crc32", "sha3-256"), ("longest_secret: 8", "16 to 64"),
            ("rules: db", "not a list"), ("- rules", "not a mapping"), ("rules: [", "not YAML"), ("", "is empty"),
        ])
    func whatIsWrongIsSaidWithItsPlace(_ text: String, _ complaint: String) {
        let problems = problems(text)
        #expect(problems.contains(complaint), "\(problems)")
        #expect(problems.contains("access.yaml"), "\(problems)")
        #expect(!problems.contains("same secret 1"))
    }

    @Test func aFileWithSecretsMustNotBeOpenToAll() {
        let text = "rules: [{volumes: [db], chap: [{secret: twelve bytes}]}]"
        #expect(problems(text, mode: 0o644).contains("chmod 600"))
        #expect(problems(text, mode: 0o640) == "", "a group may share it")
        #expect(problems("rules: [{volumes: [db]}]", mode: 0o644) == "", "nothing in it is secret")
    }

    @Test func networksAreComparedBitByBit() throws {
        let network = try #require(IPNetwork("10.1.2.128/25"))
        #expect(network.contains("10.1.2.129") && network.contains("10.1.2.255"))
        #expect(!network.contains("10.1.2.127") && !network.contains("10.1.3.129") && !network.contains("::1"))
        let wide = try #require(IPNetwork("2001:db8::/33"))
        #expect(wide.contains("2001:db8:7fff::1") && !wide.contains("2001:db8:8000::1"))
        #expect(wide.contains("2001:db8::1%eth0"))
        #expect(try #require(IPNetwork("0.0.0.0/0")).contains("192.168.1.1"))
        #expect(try #require(IPNetwork("192.168.1.1")).contains("192.168.1.1"))
        for text in ["", "10.0.0", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/33", "::/129", "host/8"] {
            #expect(IPNetwork(text) == nil, "\(text)")
        }
    }
}
