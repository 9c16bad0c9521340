// SPDX-License-Identifier: Apache-2.0
package import Messages
import ServiceKit
import Wire

/// A session as `--json` shows it. Names are a promise to scripts: add, never rename.
package struct InitiatorOutput: Encodable, Equatable, Sendable {
    package var initiator: String
    package var isid: String?
    package var user: String?
    package var address: String
    package var frontend: String
    package var portal: String?
    package var target: String
    package var volume: String?
    package var began: String?
    package var commandsOpen: UInt32
    package var headerDigest: String?
    package var dataDigest: String?
    package var initialR2T: Bool?
    package var immediateData: Bool?
    package var maxBurstBytes: UInt32?
    package var firstBurstBytes: UInt32?
    package var initiatorDataSegmentBytes: UInt32?

    package init(_ session: SessionListRequest.Session, frontend: String) {
        let details = session.details
        initiator = session.initiatorName
        isid = details?.isid
        user = details?.userName
        address = session.peerAddress
        self.frontend = frontend
        portal = details?.portal
        target = session.targetName
        volume = session.volume?.description
        began = details.map { Timestamp(milliseconds: $0.beganMilliseconds).iso8601 }
        commandsOpen = session.commandsOpen
        headerDigest = details.map { $0.isHeaderDigestOn ? "CRC32C" : "None" }
        dataDigest = details.map { $0.isDataDigestOn ? "CRC32C" : "None" }
        initialR2T = details?.initialR2T
        immediateData = details?.immediateData
        maxBurstBytes = details?.maxBurstByteCount
        firstBurstBytes = details?.firstBurstByteCount
        initiatorDataSegmentBytes = details?.initiatorDataSegmentByteCount
    }

    package static func table(_ sessions: [InitiatorOutput]) -> String {
        guard !sessions.isEmpty else { return "no sessions\n" }
        var table = Table(["INITIATOR", "ADDRESS", "PORTAL", "TARGET", "USER", "SINCE", "DIGESTS", "BURST", "COMMANDS"])
        for session in sessions {
            let digests = [("header", session.headerDigest), ("data", session.dataDigest)]
                .filter { $0.1 == "CRC32C" }.map(\.0)
            table.add([
                session.initiator, session.address, session.portal ?? "", session.target, session.user ?? "",
                session.began ?? "", digests.isEmpty ? "none" : digests.joined(separator: "+"),
                session.maxBurstBytes.map { ByteSize(byteCount: UInt64($0)).description } ?? "",
                String(session.commandsOpen),
            ])
        }
        return table.render()
    }
}
