// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing

struct NegotiationTests {
    private func answers(
        _ offers: [TextPair], limits: NegotiationLimits = NegotiationLimits()
    ) throws -> (answers: [String: String], parameters: SessionParameters) {
        var negotiation = Negotiation(limits: limits)
        let pairs = try negotiation.answer(offers)
        return (Dictionary(uniqueKeysWithValues: pairs.map { ($0.key, $0.value) }), negotiation.parameters)
    }

    @Test func appliesTheResultFunctionOfEachKey() throws {
        let table: [(String, String, String)] = [
            ("HeaderDigest", "None,CRC32C", "None"), ("HeaderDigest", "CRC32C,None", "CRC32C"),
            ("DataDigest", "SHA1,CRC32C", "CRC32C"), ("DataDigest", "SHA1", "Reject"),
            ("InitialR2T", "No", "No"), ("InitialR2T", "Yes", "Yes"), ("InitialR2T", "yes", "Reject"),
            ("ImmediateData", "Yes", "Yes"), ("ImmediateData", "No", "No"), ("ImmediateData", "1", "Reject"),
            ("MaxBurstLength", "262144", "262144"), ("MaxBurstLength", "16776192", "1048576"),
            ("MaxBurstLength", "511", "Reject"), ("MaxBurstLength", "16777216", "Reject"),
            ("MaxBurstLength", "0x10000", "65536"),
            ("FirstBurstLength", "65536", "65536"), ("FirstBurstLength", "0", "Reject"),
            ("FirstBurstLength", "262144", "262144"), ("FirstBurstLength", "16777215", "262144"),
            ("MaxOutstandingR2T", "1", "1"), ("MaxOutstandingR2T", "64", "8"), ("MaxOutstandingR2T", "0", "Reject"),
            ("MaxConnections", "4", "1"), ("MaxConnections", "65536", "Reject"),
            ("DefaultTime2Wait", "0", "1"), ("DefaultTime2Wait", "5", "5"), ("DefaultTime2Wait", "3601", "Reject"),
            ("DefaultTime2Retain", "20", "0"), ("ErrorRecoveryLevel", "2", "0"), ("ErrorRecoveryLevel", "3", "Reject"),
            ("DataPDUInOrder", "No", "Yes"), ("DataSequenceInOrder", "Yes", "Yes"),
            ("IFMarker", "No", "No"), ("OFMarker", "Yes", "No"), ("IFMarkInt", "1~2048", "Irrelevant"),
            ("TaskReporting", "FastAbort,RFC3720", "RFC3720"), ("TaskReporting", "FastAbort", "Reject"),
            ("iSCSIProtocolLevel", "2", "1"), ("iSCSIProtocolLevel", "0", "0"), ("iSCSIProtocolLevel", "32", "Reject"),
            ("X-com.example.key", "1", "NotUnderstood"),
            ("RDMAExtensions", "Yes", "NotUnderstood"),
        ]
        for (key, offer, expected) in table {
            let result = try answers([TextPair(key, offer)])
            #expect(result.answers[key] == expected, "\(key)=\(offer)")
        }
    }

    @Test func keepsTheResultsAndTheDefaultsOfWhatWasNotNamed() throws {
        #expect(try answers([]).parameters.maxBurstByteCount == 262_144)
        #expect(try answers([]).parameters.initialR2T)
        let result = try answers([
            TextPair("FirstBurstLength", "262144"), TextPair("MaxBurstLength", "8192"), TextPair("InitialR2T", "No"),
            TextPair("MaxRecvDataSegmentLength", "65536"), TextPair("MaxOutstandingR2T", "4"),
        ])
        // FirstBurstLength is bounded by MaxBurstLength although that was named later.
        #expect(result.answers["FirstBurstLength"] == "8192")
        #expect(result.answers["MaxRecvDataSegmentLength"] == "262144")
        var expected = SessionParameters()
        expected.firstBurstByteCount = 8192
        expected.maxBurstByteCount = 8192
        expected.initialR2T = false
        expected.initiatorDataSegmentLimit = 65_536
        expected.maxOutstandingR2T = 4
        expected.targetDataSegmentLimit = 262_144
        #expect(result.parameters == expected)
    }

    @Test func obeysItsConfiguration() throws {
        var limits = NegotiationLimits()
        limits.requiresInitialR2T = true
        limits.allowsImmediateData = false
        limits.acceptsDigests = false
        let result = try answers(
            [TextPair("InitialR2T", "No"), TextPair("ImmediateData", "Yes"), TextPair("HeaderDigest", "CRC32C,None")],
            limits: limits)
        #expect(result.answers["InitialR2T"] == "Yes")
        #expect(result.answers["ImmediateData"] == "No")
        #expect(result.answers["HeaderDigest"] == "None")
    }

    @Test func insistsOnDigestsWhenToldTo() throws {
        var limits = NegotiationLimits()
        limits.requiresHeaderDigest = true
        for (offer, expected) in [
            ("CRC32C", "CRC32C"), ("None,CRC32C", "CRC32C"), ("CRC32C,None", "CRC32C"), ("None", "Reject"),
            ("SHA1,None", "Reject"), ("", "Reject"),
        ] {
            let result = try answers([TextPair("HeaderDigest", offer), TextPair("DataDigest", "None")], limits: limits)
            #expect(result.answers["HeaderDigest"] == expected, "\(offer)")
            #expect(result.answers["DataDigest"] == "None")
            #expect(result.parameters.headerDigest == (expected == "CRC32C"))
        }
        let none = LoginHarness(limits: limits)
        let rejected = none.offer([TextPair("HeaderDigest", "None")])
        #expect(rejected.status == 0x0200 && rejected.pairs.contains(TextPair("HeaderDigest", "Reject")))
        #expect(LoginHarness(limits: limits).offer([]).status == 0x0200, "the default is no digest")
        #expect(LoginHarness(limits: limits).offer([TextPair("HeaderDigest", "None,CRC32C")]).status == nil)
        limits.requiresDataDigest = true
        #expect(LoginHarness(limits: limits).offer([TextPair("HeaderDigest", "CRC32C")]).status == 0x0200)
        let both = [TextPair("HeaderDigest", "CRC32C"), TextPair("DataDigest", "None,CRC32C")]
        let harness = LoginHarness(limits: limits)
        #expect(harness.offer(both).status == nil)
        #expect(harness.machine.parameters.digests == DigestSettings(header: true, data: true))
        let direct = LoginHarness(limits: limits)
        let flags = LoginFlags(transit: true, current: .security, next: .fullFeature)
        #expect(direct.send(flags, LoginHarness.names).status == 0x0200)
    }

    @Test func takesItsBoundsFromTheLimits() throws {
        var limits = NegotiationLimits()
        limits.maxBurstByteCount = 65_536
        limits.firstBurstByteCount = 8192
        limits.maxOutstandingR2T = 1
        limits.dataSegmentByteCount = 16_384
        let result = try answers(
            [
                TextPair("MaxBurstLength", "16776192"), TextPair("FirstBurstLength", "262144"),
                TextPair("MaxOutstandingR2T", "16"), TextPair("MaxRecvDataSegmentLength", "16777215"),
            ], limits: limits)
        #expect(result.answers["MaxBurstLength"] == "65536" && result.answers["FirstBurstLength"] == "8192")
        #expect(result.answers["MaxOutstandingR2T"] == "1")
        #expect(result.answers["MaxRecvDataSegmentLength"] == "16384")
        #expect(result.parameters.initiatorDataSegmentLimit == 16_777_215)
    }

    @Test func saysWhatIsWrongWithLimits() {
        #expect(NegotiationLimits().problem == nil)
        let changes: [(inout NegotiationLimits) -> Void] = [
            { $0.maxBurstByteCount = 511 }, { $0.maxBurstByteCount = 1 << 24 }, { $0.firstBurstByteCount = 0 },
            { $0.firstBurstByteCount = $0.maxBurstByteCount + 1 }, { $0.dataSegmentByteCount = -1 },
            { $0.dataSegmentByteCount = 1 << 24 }, { $0.maxOutstandingR2T = 0 }, { $0.maxOutstandingR2T = 65_536 },
            { ($0.acceptsDigests, $0.requiresDataDigest) = (false, true) },
        ]
        for change in changes {
            var limits = NegotiationLimits()
            change(&limits)
            #expect(limits.problem != nil, "\(limits)")
        }
    }

    @Test func numbersHaveTheirRanges() throws {
        let ranges: [(String, ClosedRange<Int>)] = [
            ("MaxBurstLength", 512...16_777_215), ("FirstBurstLength", 512...16_777_215),
            ("MaxOutstandingR2T", 1...65_535), ("MaxConnections", 1...65_535), ("DefaultTime2Wait", 0...3600),
            ("DefaultTime2Retain", 0...3600), ("ErrorRecoveryLevel", 0...2), ("iSCSIProtocolLevel", 0...31),
        ]
        for (key, range) in ranges {
            for good in [range.lowerBound, range.upperBound] {
                for text in ["\(good)", "0x" + String(good, radix: 16), "000\(good)"] {
                    #expect(try answers([TextPair(key, text)]).answers[key] != "Reject", "\(key)=\(text)")
                }
            }
            let bad = [
                "\(range.upperBound + 1)", "-1", "", "0x", "4294967297", "18446744073709551617", "1.0", "one", "1,2",
            ]
            for text in bad + (range.lowerBound > 0 ? ["0", "\(range.lowerBound - 1)"] : []) {
                #expect(try answers([TextPair(key, text)]).answers[key] == "Reject", "\(key)=\(text)")
            }
        }
    }

    @Test func declaresItsOwnLimitOnceAndTakesThePeersAgain() throws {
        var negotiation = Negotiation(limits: NegotiationLimits())
        _ = try negotiation.answer([TextPair("MaxRecvDataSegmentLength", "8192")])
        let again = try negotiation.answer([TextPair("MaxRecvDataSegmentLength", "32768")])
        #expect(again.isEmpty)
        #expect(negotiation.parameters.initiatorDataSegmentLimit == 32_768)
        for bad in ["511", "16777216", "-1", "0x", "4294967808"] {
            let pairs = try negotiation.answer([TextPair("MaxRecvDataSegmentLength", bad)])
            #expect(pairs == [TextPair("MaxRecvDataSegmentLength", "Reject")])
        }
        #expect(negotiation.hasRejected)
    }

    @Test func refusesKeysOfTargets() {
        for key in ["TargetAddress", "TargetAlias", "TargetPortalGroupTag", "SendTargets"] {
            #expect(throws: LoginStatus.initiatorError) { try answers([TextPair(key, "1")]) }
        }
    }

    @Test func aRejectedValueFailsTheLoginAfterItsAnswer() {
        let harness = LoginHarness()
        let action = harness.offer([TextPair("MaxBurstLength", "1")])
        #expect(action.status == 0x0200)
        #expect(action.pairs.contains(TextPair("MaxBurstLength", "Reject")))
    }

    private static let openISCSI = [
        TextPair("HeaderDigest", "None"), TextPair("DataDigest", "None"), TextPair("DefaultTime2Wait", "2"),
        TextPair("DefaultTime2Retain", "0"), TextPair("IFMarker", "No"), TextPair("OFMarker", "No"),
        TextPair("ErrorRecoveryLevel", "0"), TextPair("InitialR2T", "No"), TextPair("ImmediateData", "Yes"),
        TextPair("MaxBurstLength", "16776192"), TextPair("FirstBurstLength", "262144"),
        TextPair("MaxOutstandingR2T", "1"), TextPair("MaxConnections", "1"), TextPair("DataPDUInOrder", "Yes"),
        TextPair("DataSequenceInOrder", "Yes"), TextPair("MaxRecvDataSegmentLength", "262144"),
    ]
    private static let libISCSI = [
        TextPair("HeaderDigest", "None,CRC32C"), TextPair("DataDigest", "None"), TextPair("InitialR2T", "No"),
        TextPair("ImmediateData", "Yes"), TextPair("MaxBurstLength", "262144"), TextPair("FirstBurstLength", "262144"),
        TextPair("MaxRecvDataSegmentLength", "262144"), TextPair("DataPDUInOrder", "Yes"),
        TextPair("DefaultTime2Wait", "2"), TextPair("DefaultTime2Retain", "0"), TextPair("IFMarker", "No"),
        TextPair("OFMarker", "No"), TextPair("MaxConnections", "1"), TextPair("MaxOutstandingR2T", "1"),
        TextPair("ErrorRecoveryLevel", "0"), TextPair("DataSequenceInOrder", "Yes"),
    ]
    private static let windows = [
        TextPair("HeaderDigest", "None,CRC32C"), TextPair("DataDigest", "None,CRC32C"),
        TextPair("ErrorRecoveryLevel", "2"), TextPair("InitialR2T", "No"), TextPair("ImmediateData", "Yes"),
        TextPair("MaxRecvDataSegmentLength", "65536"), TextPair("FirstBurstLength", "65536"),
        TextPair("MaxBurstLength", "262144"), TextPair("MaxConnections", "8"), TextPair("DataPDUInOrder", "Yes"),
        TextPair("DataSequenceInOrder", "Yes"), TextPair("DefaultTime2Wait", "0"),
        TextPair("DefaultTime2Retain", "60"), TextPair("MaxOutstandingR2T", "16"),
    ]

    @Test(arguments: [(openISCSI, 1 << 20, 262_144), (libISCSI, 262_144, 262_144), (windows, 262_144, 65_536)])
    func agreesWithWhatInitiatorsOffer(_ offers: [TextPair], maxBurst: Int, firstBurst: Int) throws {
        let result = try answers(offers)
        for offer in offers where offer.key != "MaxRecvDataSegmentLength" {
            let answer = try #require(result.answers[offer.key])
            #expect(answer != "Reject" && answer != "NotUnderstood", "\(offer.key)")
        }
        #expect(!result.parameters.headerDigest && !result.parameters.dataDigest)
        #expect(!result.parameters.initialR2T && result.parameters.immediateData)
        #expect(result.parameters.maxBurstByteCount == maxBurst)
        #expect(result.parameters.firstBurstByteCount == firstBurst)
    }
}
