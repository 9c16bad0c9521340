// SPDX-License-Identifier: Apache-2.0

/// The rules of one run, in the order in which they are asked.
package struct FaultPlan: Equatable, Sendable {
    package var rules: [FaultRule]

    package init(_ rules: [FaultRule] = []) { self.rules = rules }

    package static let none = FaultPlan()

    /// Reads the text form: one rule per line, a fault's name and then `name=value` words; `#` begins a comment.
    ///
    ///     latency    delay=20ms jitter=30ms rate=0.2
    ///     status     code=503 retry-after=1 every=50 burst=5 methods=PUT,POST
    ///     lost-reply methods=PUT keys=*/head/* rate=0.01
    ///     outage     from=10s to=15s period=60s
    package init(text: String) throws(FaultProxyError) {
        rules = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" || $0 == "\r" }[...]
            guard let word = words.popFirst() else { continue }
            guard let name = FaultName(rawValue: String(word)) else {
                let all = FaultName.allCases.map(\.rawValue).joined(separator: ", ")
                throw .plan(line: number + 1, "no fault is named \(word); there are \(all)")
            }
            var options = try PlanOptions(words: words, line: number + 1)
            let fault = try options.fault(name)
            let rule = try options.rule(fault)
            try options.finish()
            rules.append(rule)
        }
    }
}
