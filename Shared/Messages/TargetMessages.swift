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
        package var details: SessionDetails?
        package init(
            initiatorName: String, targetName: String, volume: VolumeID?, peerAddress: String, commandsOpen: UInt32,
            details: SessionDetails? = nil
        ) {
            self.initiatorName = initiatorName
            self.targetName = targetName
            self.volume = volume
            self.peerAddress = peerAddress
            self.commandsOpen = commandsOpen
            self.details = details
        }
    }
    package struct Reply: Codable, Sendable {
        package var sessions: [Session]
        package init(sessions: [Session]) { self.sessions = sessions }
    }
}

/// What a session has agreed on, and since when it is there.
package struct SessionDetails: Codable, Sendable, Equatable {
    /// 12 hexadecimal digits.
    package var isid: String
    package var tsih: UInt16
    package var portal: String
    package var beganMilliseconds: UInt64
    /// Who it is by CHAP; nil: nobody asked.
    package var userName: String?
    package var isHeaderDigestOn: Bool
    package var isDataDigestOn: Bool
    package var initialR2T: Bool
    package var immediateData: Bool
    package var maxBurstByteCount: UInt32
    package var firstBurstByteCount: UInt32
    /// The most data in one PDU that the initiator takes.
    package var initiatorDataSegmentByteCount: UInt32
    package init(
        isid: String, tsih: UInt16, portal: String, beganMilliseconds: UInt64, userName: String?,
        isHeaderDigestOn: Bool, isDataDigestOn: Bool, initialR2T: Bool, immediateData: Bool,
        maxBurstByteCount: UInt32, firstBurstByteCount: UInt32, initiatorDataSegmentByteCount: UInt32
    ) {
        self.isid = isid
        self.tsih = tsih
        self.portal = portal
        self.beganMilliseconds = beganMilliseconds
        self.userName = userName
        self.isHeaderDigestOn = isHeaderDigestOn
        self.isDataDigestOn = isDataDigestOn
        self.initialR2T = initialR2T
        self.immediateData = immediateData
        self.maxBurstByteCount = maxBurstByteCount
        self.firstBurstByteCount = firstBurstByteCount
        self.initiatorDataSegmentByteCount = initiatorDataSegmentByteCount
    }
}

/// Ends sessions of a frontend; initiators that want to log in again may.
package struct SessionEndRequest: BusRequest {
    package static let kind = MessageKind.sessionEnd
    /// In any case; nil: of every initiator.
    package var initiatorName: String?
    /// nil: of every volume.
    package var volume: VolumeID?
    package init(initiatorName: String?, volume: VolumeID?) {
        self.initiatorName = initiatorName
        self.volume = volume
    }
    package struct Reply: Codable, Sendable {
        package var sessionCount: UInt32
        package init(sessionCount: UInt32) { self.sessionCount = sessionCount }
    }
}
