// SPDX-License-Identifier: Apache-2.0
import NIOHTTP1

/// The headers that a request's signature (AWS version 4) covers: these cannot be taken away unnoticed.
enum SignedHeaders {
    /// Names in lower case; none if the request is not signed.
    static func names(of head: HTTPRequestHead) -> Set<String> {
        for value in head.headers["authorization"] {
            if let list = list(in: value, after: "SignedHeaders=", until: [",", " "]) {
                return Set(list.split(separator: ";").map { $0.lowercased() })
            }
        }
        guard let list = list(in: head.uri, after: "X-Amz-SignedHeaders=", until: ["&"]) else { return [] }
        let words = list.split(separator: ";").flatMap { word in
            word.lowercased().split(separator: "%3b" as Substring)
        }
        return Set(words.map(String.init))
    }

    private static func list(in text: String, after marker: String, until ends: Set<Character>) -> Substring? {
        guard let range = text.firstRange(of: marker) else { return nil }
        return text[range.upperBound...].prefix { !ends.contains($0) }
    }
}

extension HTTPRequestHead {
    enum Stripping: Equatable { case absent, stripped, signed }

    /// Takes If-Match and If-None-Match away, both or, if the signature covers one of them, neither.
    mutating func stripPreconditions() -> Stripping {
        let present = ["if-match", "if-none-match"].filter { headers.contains(name: $0) }
        guard !present.isEmpty else { return .absent }
        guard SignedHeaders.names(of: self).isDisjoint(with: present) else { return .signed }
        for name in present { headers.remove(name: name) }
        return .stripped
    }
}
