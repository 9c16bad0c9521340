// SPDX-License-Identifier: Apache-2.0

/// When one fault happens: to which requests, how often, and in which window of time.
package struct FaultRule: Equatable, Sendable {
    package var fault: Fault
    /// Methods it applies to; none means all.
    package var methods: Set<String> = []
    /// Paths it applies to; none means all.
    package var keys: [KeyPattern] = []
    /// This many matching requests go unharmed first.
    package var skip = 0
    /// Of the matching requests each `every`-th is a candidate.
    package var every = 1
    /// The share of candidates that is hit, drawn by seed and request index.
    package var rate = 1.0
    /// A hit takes the next matching requests with it, this many in all.
    package var burst = 1
    /// No more than this many hits.
    package var limit: Int?
    package var window = TimeWindow()

    package init(
        _ fault: Fault, methods: Set<String> = [], keys: [KeyPattern] = [], skip: Int = 0, every: Int = 1,
        rate: Double = 1, burst: Int = 1, limit: Int? = nil, window: TimeWindow = TimeWindow()
    ) {
        precondition(skip >= 0 && every > 0 && burst > 0)
        precondition(rate >= 0 && rate <= 1)
        self.fault = fault
        self.methods = methods
        self.keys = keys
        self.skip = skip
        self.every = every
        self.rate = rate
        self.burst = burst
        self.limit = limit
        self.window = window
    }

    func matches(method: String, uri: Substring) -> Bool {
        guard methods.isEmpty || methods.contains(method) else { return false }
        return keys.isEmpty || keys.contains { $0.matches(uri) }
    }
}

/// A stretch of time since the plan was installed, which may come again and again.
package struct TimeWindow: Equatable, Sendable {
    package var from: Duration = .zero
    /// The first moment after the window; none means that it never closes.
    package var to: Duration?
    /// The window opens again after each period, counted from the plan's installation.
    package var period: Duration?

    package init(from: Duration = .zero, to: Duration? = nil, period: Duration? = nil) {
        self.from = from
        self.to = to
        self.period = period
    }

    package func contains(_ elapsed: Duration) -> Bool {
        var moment = elapsed
        if let period, period > .zero {
            moment = elapsed - period * Int(elapsed / period)
        }
        return moment >= from && (to.map { moment < $0 } ?? true)
    }
}

/// A glob over `bucket/key` as it stands in the request line, percent signs included; `*` is any run of characters.
/// It is held against the path alone and against the path with its query, so that `*list-type=2*` finds listings.
package struct KeyPattern: Equatable, Sendable, ExpressibleByStringLiteral {
    private let pieces: [[UInt8]]

    package init(_ pattern: String) {
        pieces = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map { Array($0) }
    }

    package init(stringLiteral value: String) { self.init(value) }

    func matches(_ uri: Substring) -> Bool {
        let whole = Array(uri.utf8)
        if matches(bytes: whole[...]) { return true }
        guard let question = whole.firstIndex(of: UInt8(ascii: "?")) else { return false }
        return matches(bytes: whole[..<question])
    }

    /// Greedy from the left: after the first piece each next one is looked for at its earliest place, the last one at
    /// the end.
    private func matches(bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = pieces.first, let last = pieces.last, bytes.starts(with: first) else { return false }
        if pieces.count == 1 { return bytes.count == first.count }
        var rest = bytes.dropFirst(first.count)
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard let place = Self.index(of: piece, in: rest) else { return false }
            rest = rest[(place + piece.count)...]
        }
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }

    private static func index(of piece: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= piece.count else { return nil }
        return (bytes.startIndex...(bytes.endIndex - piece.count)).first { bytes[$0...].starts(with: piece) }
    }
}
