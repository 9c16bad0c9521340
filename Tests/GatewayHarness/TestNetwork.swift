// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

/// A few machines on one machine: network namespaces, each with a link to initiators (the test) and another one to the
/// bucket, which can be cut by itself. Needs root and iproute2; without them making one throws, with what `ip` said.
package final class TestNetwork {
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// One machine: where its gateway runs, and what initiators connect to.
    package struct Machine: Sendable {
        package var namespace: String
        package var address: String
    }

    /// What a server must listen on for all machines to reach it.
    package let bucketAddress: String
    package private(set) var machines: [Machine] = []
    private let tag: String
    private var links: [String] = []

    private static let prefix = "sluice-test-"

    package init(machineCount: Int) throws {
        Self.removeLeftovers()
        tag = String(UInt16.random(in: 0 ... .max), radix: 16)
        let subnet = "10.\(UInt8.random(in: 64...127)).\(UInt8.random(in: 0...63) * 4)"
        bucketAddress = "\(subnet).1"
        do {
            try build(subnet, machineCount)
        } catch {
            tearDown()
            throw error
        }
    }

    /// Every machine has an address on the bucket's bridge, /26, and a subnet of its own with the initiators, /28.
    private func build(_ subnet: String, _ machineCount: Int) throws {
        try add("slb\(tag)", ["type", "bridge"])
        try Self.ip("address", "add", "\(bucketAddress)/26", "dev", "slb\(tag)")
        try Self.ip("link", "set", "slb\(tag)", "up")
        for number in 0..<machineCount {
            let namespace = "\(Self.prefix)\(getpid())-\(tag)-\(number)"
            try Self.ip("netns", "add", namespace)
            let (bucket, front) = (bucketLink(number), "slf\(tag)\(number)")
            let base = 64 + 16 * number
            machines.append(Machine(namespace: namespace, address: "\(subnet).\(base + 2)"))
            for (link, inside) in [(bucket, "bucket0"), (front, "front0")] {
                try add(link, ["type", "veth", "peer", "name", inside, "netns", namespace])
            }
            try Self.ip("link", "set", bucket, "master", "slb\(tag)", "up")
            try Self.ip("address", "add", "\(subnet).\(base + 1)/28", "dev", front)
            try Self.ip("link", "set", front, "up")
            let inner = [("\(subnet).\(number + 2)/26", "bucket0"), ("\(subnet).\(base + 2)/28", "front0")]
            for (address, inside) in inner {
                try Self.ip("-n", namespace, "address", "add", address, "dev", inside)
                try Self.ip("-n", namespace, "link", "set", inside, "up")
            }
            try Self.ip("-n", namespace, "link", "set", "lo", "up")
        }
    }

    private func add(_ link: String, _ kind: [String]) throws {
        try Self.ip(["link", "add", link] + kind)
        links.append(link)
    }

    private func bucketLink(_ number: Int) -> String { "slc\(tag)\(number)" }

    /// Nothing travels between this machine and the bucket; initiators still reach it.
    package func cutFromBucket(_ number: Int) throws { try Self.ip("link", "set", bucketLink(number), "down") }
    package func mend(_ number: Int) throws { try Self.ip("link", "set", bucketLink(number), "up") }

    /// After everything that runs in the namespaces has ended.
    package func tearDown() {
        for link in links.reversed() { try? Self.ip("link", "delete", link) }
        links = []
        for machine in machines { try? Self.ip("netns", "delete", machine.namespace) }
        machines = []
    }

    /// Namespaces of test processes that were killed; their links went with them or go with the bridge.
    private static func removeLeftovers() {
        let text = (try? GatewayUnderTest.run("ip", ["netns", "list"]).output) ?? ""
        for line in text.split(separator: "\n") {
            let name = line.prefix { $0 != " " }
            guard name.hasPrefix(prefix),
                let process = name.dropFirst(prefix.count).split(separator: "-").first.flatMap({ pid_t($0) }),
                kill(process, 0) != 0
            else { continue }
            try? ip("netns", "delete", String(name))
        }
    }

    private static func ip(_ arguments: String...) throws { try ip(arguments) }

    private static func ip(_ arguments: [String]) throws {
        let result = try GatewayUnderTest.run("ip", arguments, seconds: 20)
        guard result.status == 0 else {
            throw Failure(
                description: "ip \(arguments.joined(separator: " ")) ended with \(result.status): \(result.error); "
                    + "this test needs root, network namespaces and iproute2 (`make setup-test`)")
        }
    }
}
