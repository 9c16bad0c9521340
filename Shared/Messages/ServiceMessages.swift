// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A request that one service sends another and the one reply it gets. `kind` names it on the wire for ever.
package protocol BusRequest: Codable, Sendable {
    associatedtype Reply: Codable & Sendable
    static var kind: MessageKind { get }
}

/// Which executable speaks.
package enum ServiceKind: UInt8, Codable, Sendable, CaseIterable {
    case iscsi = 1
    case cache = 2
    case uploader = 3
    case snapshotter = 4
    case exporter = 5
    case control = 6
    case cli = 7
}

/// First request on every connection. A peer that has not said hello gets `BusFault.Code.helloRequired`.
package struct HelloRequest: BusRequest {
    package static let kind = MessageKind.hello
    package var service: ServiceKind
    package var instance: ServiceInstance
    package var softwareVersion: String
    package init(service: ServiceKind, instance: ServiceInstance, softwareVersion: String) {
        self.service = service
        self.instance = instance
        self.softwareVersion = softwareVersion
    }

    package struct Reply: Codable, Sendable {
        package var service: ServiceKind
        package var instance: ServiceInstance
        package var softwareVersion: String
        package var gateway: GatewayID?
        /// The volumes this peer owns; only a cache manager owns any.
        package var volumes: [VolumeID]
        /// The peer's wall clock, milliseconds since 1970, for deadlines.
        package var clockMilliseconds: UInt64
        package init(
            service: ServiceKind, instance: ServiceInstance, softwareVersion: String, gateway: GatewayID?,
            volumes: [VolumeID], clockMilliseconds: UInt64
        ) {
            self.service = service
            self.instance = instance
            self.softwareVersion = softwareVersion
            self.gateway = gateway
            self.volumes = volumes
            self.clockMilliseconds = clockMilliseconds
        }
    }
}

/// Is the service able to do its work, and if not, why.
package struct HealthRequest: BusRequest {
    package static let kind = MessageKind.health
    package init() {}

    package struct Reply: Codable, Sendable {
        package var service: ServiceKind
        package var instance: ServiceInstance
        package var softwareVersion: String
        package var uptimeSeconds: Double
        package var processID: Int32
        package var isReady: Bool
        /// One line for people: what it does now, or why it is not ready.
        package var detail: String
        package init(
            service: ServiceKind, instance: ServiceInstance, softwareVersion: String, uptimeSeconds: Double,
            processID: Int32, isReady: Bool, detail: String
        ) {
            self.service = service
            self.instance = instance
            self.softwareVersion = softwareVersion
            self.uptimeSeconds = uptimeSeconds
            self.processID = processID
            self.isReady = isReady
            self.detail = detail
        }
    }
}

/// All counters and gauges of one service at this moment.
package struct MetricsRequest: BusRequest {
    package static let kind = MessageKind.metrics
    package init() {}

    package struct Reply: Codable, Sendable {
        package var families: [MetricFamily]
        package init(families: [MetricFamily]) { self.families = families }
    }
}
