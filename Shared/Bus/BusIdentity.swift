// SPDX-License-Identifier: Apache-2.0
package import Messages
package import Wire

/// Who a process is on the bus; what its hello says.
package struct BusIdentity: Sendable, Equatable {
    package var service: ServiceKind
    package var instance: ServiceInstance
    package var softwareVersion: String
    package init(service: ServiceKind, instance: ServiceInstance, softwareVersion: String) {
        self.service = service
        self.instance = instance
        self.softwareVersion = softwareVersion
    }

    package var hello: HelloRequest {
        HelloRequest(service: service, instance: instance, softwareVersion: softwareVersion)
    }
}

/// What a server's answer to hello says beyond its identity.
package struct HelloDetails: Sendable, Equatable {
    package var gateway: GatewayID?
    package var volumes: [VolumeID]
    package init(gateway: GatewayID? = nil, volumes: [VolumeID] = []) {
        self.gateway = gateway
        self.volumes = volumes
    }
}
