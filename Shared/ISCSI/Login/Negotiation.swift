// SPDX-License-Identifier: Apache-2.0

/// Answers the operational keys of one login (RFC 7143 §13) and keeps the results. It sees all keys of one request at
/// once: the answer for FirstBurstLength depends on MaxBurstLength, wherever that stands.
package struct Negotiation {
    /// In one login or text exchange. Each answer is longer than its question need be.
    package static let unknownKeyLimit = 64
    private static let dataSegmentRange: ClosedRange<UInt64> = 512...16_777_215

    package private(set) var parameters = SessionParameters()
    private let limits: NegotiationLimits
    private var hasDeclaredDataSegmentLimit = false
    private var unknownKeyCount = 0

    package init(limits: NegotiationLimits) {
        self.limits = limits
    }

    /// A key was answered with `Reject`: the login fails once the answer is sent.
    package private(set) var hasRejected = false

    /// The answers to `offers`, in their order; ours follow when this is the first exchange of the stage.
    package mutating func answer(_ offers: [TextPair]) throws(LoginStatus) -> [TextPair] {
        // MaxBurstLength bounds FirstBurstLength, so it is settled first.
        if let burst = offers.first(where: { $0.key == "MaxBurstLength" }) { _ = settleMaxBurst(burst.value) }
        var answers: [TextPair] = []
        for offer in offers {
            guard let value = try answer(offer) else { continue }
            if value == "Reject" { hasRejected = true }
            answers.append(TextPair(offer.key, value))
        }
        if !hasDeclaredDataSegmentLimit {
            hasDeclaredDataSegmentLimit = true
            parameters.targetDataSegmentLimit = limits.dataSegmentByteCount
            answers.append(TextPair("MaxRecvDataSegmentLength", String(limits.dataSegmentByteCount)))
        }
        return answers
    }

    /// Nil: a declaration, which has no answer.
    private mutating func answer(_ offer: TextPair) throws(LoginStatus) -> String? {
        switch offer.key {
        case "HeaderDigest":
            return digest(offer.value, into: \.headerDigest, isRequired: limits.requiresHeaderDigest)
        case "DataDigest":
            return digest(offer.value, into: \.dataDigest, isRequired: limits.requiresDataDigest)
        case "InitialR2T":
            guard let value = TextValue.boolean(offer.value) else { return "Reject" }
            parameters.initialR2T = value || limits.requiresInitialR2T
            return text(parameters.initialR2T)
        case "ImmediateData":
            guard let value = TextValue.boolean(offer.value) else { return "Reject" }
            parameters.immediateData = value && limits.allowsImmediateData
            return text(parameters.immediateData)
        case "MaxRecvDataSegmentLength":
            guard declareInitiatorDataSegmentLimit(offer.value) else { return "Reject" }
            return nil
        case "MaxBurstLength": return settleMaxBurst(offer.value)
        case "FirstBurstLength":
            guard let value = number(offer.value, in: Self.dataSegmentRange) else { return "Reject" }
            let bound = min(limits.firstBurstByteCount, UInt64(parameters.maxBurstByteCount))
            parameters.firstBurstByteCount = Int(min(value, bound))
            return String(parameters.firstBurstByteCount)
        case "MaxOutstandingR2T":
            guard let value = number(offer.value, in: 1...65535) else { return "Reject" }
            parameters.maxOutstandingR2T = Int(min(value, limits.maxOutstandingR2T))
            return String(parameters.maxOutstandingR2T)
        case "MaxConnections": return number(offer.value, in: 1...65535) == nil ? "Reject" : "1"
        case "DefaultTime2Wait":
            guard let value = number(offer.value, in: 0...3600) else { return "Reject" }
            parameters.secondsToWait = UInt16(max(value, 1))
            return String(parameters.secondsToWait)
        case "DefaultTime2Retain":
            // Nothing outlives a connection at error recovery level 0.
            return number(offer.value, in: 0...3600) == nil ? "Reject" : "0"
        case "ErrorRecoveryLevel": return number(offer.value, in: 0...2) == nil ? "Reject" : "0"
        case "DataPDUInOrder", "DataSequenceInOrder":
            return TextValue.boolean(offer.value) == nil ? "Reject" : "Yes"
        default: return try answerRare(offer)
        }
    }

    private mutating func answerRare(_ offer: TextPair) throws(LoginStatus) -> String? {
        switch offer.key {
        case "IFMarker", "OFMarker": return TextValue.boolean(offer.value) == nil ? "Reject" : "No"
        case "IFMarkInt", "OFMarkInt": return "Irrelevant"
        case "TaskReporting":
            // The others promise clearing semantics across sessions that nobody here asked for.
            return TextValue.list(offer.value).contains("RFC3720") ? "RFC3720" : "Reject"
        case "iSCSIProtocolLevel":
            // The smaller of both sides' levels (RFC 7144 §3.1.1); ours is 1.
            return number(offer.value, in: 0...31).map { String(min($0, 1)) } ?? "Reject"
        case "InitiatorAlias": return nil
        case "TargetAddress", "TargetAlias", "TargetPortalGroupTag", "SendTargets":
            throw .initiatorError  // Only a target declares these, and SendTargets belongs to the full feature phase.
        default: return try answerUnknown(offer).value
        }
    }

    /// A key that we do not know.
    package mutating func answerUnknown(_ offer: TextPair) throws(LoginStatus) -> TextPair {
        unknownKeyCount += 1
        guard unknownKeyCount <= Self.unknownKeyLimit else { throw .initiatorError }
        return TextPair(offer.key, "NotUnderstood")
    }

    /// The one key that may be named at any time, again and again; the last value holds.
    package mutating func declareInitiatorDataSegmentLimit(_ text: String) -> Bool {
        guard let value = number(text, in: Self.dataSegmentRange) else { return false }
        parameters.initiatorDataSegmentLimit = Int(value)
        return true
    }

    private mutating func settleMaxBurst(_ text: String) -> String {
        guard let value = number(text, in: Self.dataSegmentRange) else { return "Reject" }
        parameters.maxBurstByteCount = Int(min(value, limits.maxBurstByteCount))
        parameters.firstBurstByteCount = min(parameters.firstBurstByteCount, parameters.maxBurstByteCount)
        return String(parameters.maxBurstByteCount)
    }

    /// False when an initiator did not agree on a digest that we insist on, or did not even name it.
    package var hasRequiredDigests: Bool {
        (parameters.headerDigest || !limits.requiresHeaderDigest)
            && (parameters.dataDigest || !limits.requiresDataDigest)
    }

    private mutating func digest(
        _ text: String, into field: WritableKeyPath<SessionParameters, Bool>, isRequired: Bool
    ) -> String {
        for name in TextValue.list(text) {
            switch name {
            case "None" where !isRequired:
                parameters[keyPath: field] = false
                return name
            case "CRC32C" where limits.acceptsDigests:
                parameters[keyPath: field] = true
                return name
            default: continue
            }
        }
        return "Reject"
    }

    private func number(_ text: String, in range: ClosedRange<UInt64>) -> UInt64? {
        TextValue.number(text).flatMap { range.contains($0) ? $0 : nil }
    }

    private func text(_ value: Bool) -> String { value ? "Yes" : "No" }

    /// Keys whose place is the operational stage (RFC 7143 §13).
    package static func isOperational(_ key: String) -> Bool {
        switch key {
        case "HeaderDigest", "DataDigest", "InitialR2T", "ImmediateData", "MaxBurstLength", "FirstBurstLength",
            "MaxOutstandingR2T", "MaxConnections", "DefaultTime2Wait", "DefaultTime2Retain", "ErrorRecoveryLevel",
            "DataPDUInOrder", "DataSequenceInOrder", "IFMarker", "OFMarker", "IFMarkInt", "OFMarkInt",
            "TaskReporting", "iSCSIProtocolLevel":
            true
        default: false
        }
    }
}
