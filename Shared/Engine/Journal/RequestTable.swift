// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Which requests of each frontend were applied, above the lowest that it may still send (STORAGE §4). A request that
/// comes again is answered from here and never applied twice. Only commands that change the volume are remembered:
/// reading or flushing again is harmless, and a failed comparison changed nothing.
package struct RequestTable: Sendable {
    package struct Frontend: Sendable, Equatable {
        package var lowestOpenNumber: UInt64 = 0
        package var applied: Set<UInt64> = []
    }

    package private(set) var frontends: [ServiceInstance: Frontend] = [:]

    package init() {}

    package enum Verdict: Equatable, Sendable {
        case new
        /// It was applied; answer GOOD again.
        case applied
        /// The frontend itself said that it was answered; there is nobody to answer.
        case obsolete
    }

    package func verdict(on origin: RequestOrigin) -> Verdict {
        guard let frontend = frontends[origin.frontend] else { return .new }
        if origin.number < frontend.lowestOpenNumber { return .obsolete }
        return frontend.applied.contains(origin.number) ? .applied : .new
    }

    package mutating func record(_ origin: RequestOrigin) {
        frontends[origin.frontend, default: Frontend()].applied.insert(origin.number)
    }

    /// The frontend will not send lower numbers again: forget them.
    package mutating func raiseLowestOpen(of frontend: ServiceInstance, to number: UInt64) {
        guard number > frontends[frontend]?.lowestOpenNumber ?? 0 else { return }
        frontends[frontend, default: Frontend()].raise(to: number)
    }

    package mutating func forget(_ frontend: ServiceInstance) { frontends[frontend] = nil }

    /// The whole table for a checkpoint record: count, then per frontend id, lowest open, count, numbers.
    func encoded() -> [UInt64] {
        var words: [UInt64] = [UInt64(frontends.count)]
        for (instance, frontend) in frontends.sorted(by: { $0.key < $1.key }) {
            words += [instance.rawValue, frontend.lowestOpenNumber, UInt64(frontend.applied.count)]
            words += frontend.applied.sorted()
        }
        return words
    }

    init(decoding words: [UInt64]) throws(EngineError) {
        var position = 0
        func next() throws(EngineError) -> UInt64 {
            guard position < words.count else {
                throw .malformed(.journal, reason: "request table cut short")
            }
            defer { position += 1 }
            return words[position]
        }
        for _ in 0..<(try next()) {
            let instance = ServiceInstance(rawValue: try next())
            var frontend = Frontend()
            frontend.lowestOpenNumber = try next()
            for _ in 0..<(try next()) { frontend.applied.insert(try next()) }
            frontends[instance] = frontend
        }
    }
}

extension RequestTable.Frontend {
    fileprivate mutating func raise(to number: UInt64) {
        // Mostly the few numbers just below are what there is to drop. A frontend's other volumes take numbers, too:
        // behind a gap of them the set is made anew.
        if number - lowestOpenNumber <= 64 {
            for old in lowestOpenNumber..<number { applied.remove(old) }
        } else {
            applied = applied.filter { $0 >= number }
        }
        lowestOpenNumber = number
    }
}
