// SPDX-License-Identifier: Apache-2.0
package import Wire

/// All keys below a prefix, fetched page by page as they are asked for.
package struct ObjectListing: AsyncSequence, Sendable {
    package typealias Element = ObjectKey
    package typealias Failure = ObjectStoreError

    private let store: any ObjectStore
    private let prefix: String
    private let pageLimit: Int

    package init(_ store: any ObjectStore, prefix: String, pageLimit: Int = 1000) {
        precondition(pageLimit > 0)
        self.store = store
        self.prefix = prefix
        self.pageLimit = pageLimit
    }

    package func makeAsyncIterator() -> Iterator {
        Iterator(store: store, prefix: prefix, pageLimit: pageLimit)
    }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let store: any ObjectStore
        fileprivate let prefix: String
        fileprivate let pageLimit: Int
        private var page: [ObjectKey] = []
        private var position = 0
        private var isLast = false

        fileprivate init(store: any ObjectStore, prefix: String, pageLimit: Int) {
            self.store = store
            self.prefix = prefix
            self.pageLimit = pageLimit
        }

        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(ObjectStoreError) -> ObjectKey? {
            while position == page.count {
                if isLast { return nil }
                let next = try await store.list(prefix: prefix, after: page.last, limit: pageLimit)
                // A page that is empty but not the last would be asked for again for ever.
                isLast = next.isLast || next.keys.isEmpty
                page = next.keys
                position = 0
            }
            defer { position += 1 }
            return page[position]
        }
    }
}

extension ObjectStore {
    package func keys(prefix: String) -> ObjectListing { ObjectListing(self, prefix: prefix) }
}
