// SPDX-License-Identifier: Apache-2.0

/// What a message is. Numbers are never reused. A reply has its request's kind and the envelope's reply flag.
package enum MessageKind: UInt16, Codable, Sendable, CaseIterable {
    case hello = 0x0001
    case health = 0x0002
    case metrics = 0x0003

    case io = 0x0010

    case volumeCreate = 0x0020
    case volumeList = 0x0021
    case volumeSync = 0x0022
    case volumeDelete = 0x0023
    case volumeDiscover = 0x0024
    case volumeAttach = 0x0025
    case volumeCut = 0x0026
    case volumeHold = 0x0027
    case pendingSnapshots = 0x0028
    case settleSnapshots = 0x0029
    case volumeCreateCheck = 0x002a
    case volumeChange = 0x002b
    case volumeReservations = 0x002c

    case volumeWarm = 0x0030

    case uploaderReady = 0x0040
    case uploadJob = 0x0041
    case uploadResult = 0x0042

    case snapshotCreate = 0x0060
    case snapshotList = 0x0061
    case snapshotDelete = 0x0063
    case snapshotGroupCreate = 0x0064
    case snapshotGroupList = 0x0065

    case sessionList = 0x0080
    case sessionEnd = 0x0081

    case cacheShow = 0x00a0
    case cacheChange = 0x00a1

    /// The body is a `BusFault`; always a reply.
    case fault = 0x00ff
}
