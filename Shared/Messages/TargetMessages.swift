// SPDX-License-Identifier: Apache-2.0
package import Wire

/// The iSCSI sessions a frontend serves now.
package struct SessionListRequest: BusRequest {
    package static let kind = MessageKind.sessionList
    package init() {}
    package struct Session: Codable, Sendable, Equatable {
        package var initiatorName: String
        package var targetName: String
        package var volume: VolumeID?
        package var peerAddress: String
        package var commandsOpen: UInt32
        package init(
            initiatorName: String, targetName: String, volume: VolumeID?, peerAddress: String, commandsOpen: UInt32
        ) {
            self.initiatorName = initiatorName
            self.targetName = targetName
            self.volume = volume
            self.peerAddress = peerAddress
            self.commandsOpen = commandsOpen
        }
    }
    package struct Reply: Codable, Sendable {
        package var sessions: [Session]
        package init(sessions: [Session]) { self.sessions = sessions }
    }
}
