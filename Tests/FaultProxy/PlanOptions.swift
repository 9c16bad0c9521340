// SPDX-License-Identifier: Apache-2.0

/// The `name=value` words of one line of a plan. Each may be taken once; what is left at the end is an error.
struct PlanOptions {
    private var values: [String: String] = [:]
    private let line: Int

    init(words: ArraySlice<Substring>, line: Int) throws(FaultProxyError) {
        self.line = line
        for word in words {
            guard let sign = word.firstIndex(of: "="), sign > word.startIndex else {
                throw .plan(line: line, "\(word) is not name=value")
            }
            let name = String(word[..<sign])
            guard values.updateValue(String(word[word.index(after: sign)...]), forKey: name) == nil else {
                throw .plan(line: line, "\(name) is given twice")
            }
        }
    }

    mutating func fault(_ name: FaultName) throws(FaultProxyError) -> Fault {
        switch name {
        case .latency:
            return .latency(fixed: try duration("delay") ?? .zero, jitter: try duration("jitter") ?? .zero)
        case .status:
            return .status(
                code: try count("code", in: 400...599) ?? 503,
                retryAfterSeconds: try count("retry-after", in: 0...3600))
        case .hang: return .hang(try choice("stage") ?? .reply)
        case .reset: return .reset(try choice("stage") ?? .before)
        case .truncate: return .truncate(keep: try count("keep") ?? .max)
        case .lostReply: return .lostReply
        case .duplicate: return .duplicate(after: try duration("after") ?? .seconds(2))
        case .lateDelivery: return .lateDelivery(after: try duration("after") ?? .seconds(2))
        case .stripPreconditions: return .stripPreconditions
        case .flipBits: return .flipBits(count: try count("bits", in: 1...100_000) ?? 1)
        case .slowBody:
            guard let rate = try count("bytes-per-second", in: 1...Int.max) else {
                throw .plan(line: line, "slow-body needs bytes-per-second")
            }
            return .slowBody(bytesPerSecond: rate, try choice("direction") ?? .response)
        case .outage: return .outage
        }
    }

    mutating func rule(_ fault: Fault) throws(FaultProxyError) -> FaultRule {
        var rule = FaultRule(fault)
        rule.window = TimeWindow(
            from: try duration("from") ?? .zero, to: try duration("to"), period: try duration("period"))
        // An outage is a matter of time alone: it does not wait for a request to begin.
        guard fault != .outage else { return rule }
        if let list = values.removeValue(forKey: "methods") {
            rule.methods = Set(list.split(separator: ",").map { $0.uppercased() })
        }
        if let list = values.removeValue(forKey: "keys") {
            rule.keys = list.split(separator: ",").map { KeyPattern(String($0)) }
        }
        rule.skip = try count("skip") ?? 0
        rule.every = try count("every", in: 1...Int.max) ?? 1
        rule.burst = try count("burst", in: 1...Int.max) ?? 1
        rule.limit = try count("limit")
        if let text = values.removeValue(forKey: "rate") {
            guard let rate = Double(text), rate >= 0, rate <= 1 else {
                throw .plan(line: line, "rate=\(text) is not a number from 0 to 1")
            }
            rule.rate = rate
        }
        return rule
    }

    func finish() throws(FaultProxyError) {
        guard let name = values.keys.min() else { return }
        throw .plan(line: line, "this fault has no option \(name)")
    }

    // MARK: Values

    private mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String
    ) throws(FaultProxyError) -> Choice? where Choice.RawValue == String {
        guard let text = values.removeValue(forKey: name) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw .plan(line: line, "\(name)=\(text) is none of \(all)")
        }
        return choice
    }

    /// A whole number, with `k` or `m` for 1024 and 1024².
    private mutating func count(
        _ name: String, in range: ClosedRange<Int> = 0...Int.max
    ) throws(FaultProxyError) -> Int? {
        guard let text = values.removeValue(forKey: name) else { return nil }
        let factor = ["k": 1024, "m": 1024 * 1024][text.suffix(1).lowercased()] ?? 1
        let digits = factor == 1 ? text[...] : text.dropLast()
        guard let number = Int(digits), case (let value, false) = number.multipliedReportingOverflow(by: factor),
            range.contains(value)
        else { throw .plan(line: line, "\(name)=\(text) is not a whole number from \(range.lowerBound)") }
        return value
    }

    private mutating func duration(_ name: String) throws(FaultProxyError) -> Duration? {
        guard let text = values.removeValue(forKey: name) else { return nil }
        for (unit, seconds) in [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0)] where text.hasSuffix(unit) {
            guard let number = Double(text.dropLast(unit.count)), number >= 0, number < 1e6 else { break }
            return .seconds(number * seconds)
        }
        throw .plan(line: line, "\(name)=\(text) is not a time such as 50ms, 2s or 1m")
    }
}
