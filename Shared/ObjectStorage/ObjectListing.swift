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
                let next = try await store.page(prefix: prefix, after: page.last, limit: pageLimit)
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

    /// The names of the folders right below a prefix, sorted. Each may hold millions of objects: where a page ends
    /// inside a folder, the listing goes on behind it, so that this takes about one request per folder.
    package func folders(below prefix: String, pageLimit: Int = 1000) async throws(ObjectStoreError) -> [String] {
        precondition(pageLimit > 0)
        var folders: Set<String> = []
        var position: ObjectKey?
        var skipped: String?
        while true {
            let page = try await page(prefix: prefix, after: position, limit: pageLimit)
            folders.formUnion(page.keys.compactMap { $0.folder(below: prefix) })
            guard !page.isLast, let last = page.keys.last else { return folders.sorted() }
            // A store that does not skip is read key by key.
            if let folder = last.folder(below: prefix), folder != skipped {
                // Nothing that we name sorts behind it.
                position = ObjectKey("\(prefix)\(folder)/zz")
                skipped = folder
            } else {
                position = last
            }
        }
    }
}

extension ObjectStore {
    /// A store that begins from the start again would be read for ever.
    fileprivate func page(
        prefix: String, after position: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectPage {
        let page = try await list(prefix: prefix, after: position, limit: limit)
        if let position, page.keys.contains(position) { throw .refused(.unreliable([.listedAgain])) }
        return page
    }
}

extension ObjectKey {
    /// nil: it lies in none, or not below the prefix.
    fileprivate func folder(below prefix: String) -> String? {
        guard name.hasPrefix(prefix), let end = name.dropFirst(prefix.count).firstIndex(of: "/") else { return nil }
        return String(name.dropFirst(prefix.count)[..<end])
    }
}
