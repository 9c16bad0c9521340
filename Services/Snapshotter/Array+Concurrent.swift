// SPDX-License-Identifier: Apache-2.0
import Messages

extension Array where Element: Sendable {
    /// Does the work for each element, at most `limit` at a time.
    /// - Returns: the results in the elements' order; throws the first fault in that order.
    func concurrentMap<Value: Sendable>(
        limit: Int, _ work: @escaping @Sendable (Element) async -> Result<Value, BusFault>
    ) async throws(BusFault) -> [Value] {
        let results = await withTaskGroup(of: (Int, Result<Value, BusFault>).self) { group in
            var results = [Result<Value, BusFault>?](repeating: nil, count: count)
            var next = Swift.min(limit, count)
            for index in 0..<next { group.addTask { (index, await work(self[index])) } }
            for await (index, result) in group {
                results[index] = result
                guard next < count else { continue }
                let index = next
                group.addTask { (index, await work(self[index])) }
                next += 1
            }
            return results
        }
        var values: [Value] = []
        for result in results { if let value = try result?.get() { values.append(value) } }
        return values
    }
}
