// SPDX-License-Identifier: Apache-2.0
import Messages
import Testing

struct MessageSenderTests {
    /// What each service sends to others, and nothing else that changes anything.
    private static let sent: [ServiceKind: Set<MessageKind>] = [
        .iscsi: [.io, .volumeList],
        .cache: [.uploadJob],
        .uploader: [.uploaderReady, .uploadResult],
        .snapshotter: [.volumeList, .volumeCut, .volumeHold, .pendingSnapshots, .settleSnapshots],
        .exporter: [],
    ]
    private static let everybody: Set<MessageKind> = [.hello, .health, .metrics, .fault]

    @Test(arguments: Array(sent.keys))
    func aServiceSendsOnlyWhatItIsThereFor(_ service: ServiceKind) throws {
        let expected = try #require(Self.sent[service]).union(Self.everybody)
        #expect(Set(MessageKind.allCases.filter { $0.mayCome(from: service) }) == expected)
    }

    @Test(arguments: [ServiceKind.cli, .control])
    func peoplesCommandsDoNotSpeakForServices(_ service: ServiceKind) {
        let ofServices: Set<MessageKind> = [
            .io, .uploaderReady, .uploadJob, .uploadResult, .volumeCut, .volumeHold, .pendingSnapshots,
            .settleSnapshots,
        ]
        #expect(Set(MessageKind.allCases.filter { !$0.mayCome(from: service) }) == ofServices)
    }
}
