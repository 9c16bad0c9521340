// SPDX-License-Identifier: Apache-2.0

/// The text of each element of a small XML document, by its path (`Error/Code`). Attributes are passed over.
///
/// Written out here because the parser of Foundation ends the process at some damaged documents, and what a bucket or
/// the network sends must never do that.
struct XMLTexts {
    private(set) var root = ""
    private var texts: [String: [String]] = [:]

    /// Our documents are four levels deep.
    private static let depthLimit = 32

    private let bytes: [UInt8]
    private var position = 0
    private var path: [String] = []
    private var text: [UInt8] = []

    /// - Returns: nil if it is not one whole, well-formed document.
    init?(_ bytes: [UInt8]) {
        guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
        self.bytes = bytes
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: "<") ? takeMarkup() : takeText() else { return nil }
        }
        guard path.isEmpty, !root.isEmpty else { return nil }
    }

    subscript(path: String) -> [String] { texts[path] ?? [] }

    // MARK: Markup

    private mutating func takeMarkup() -> Bool {
        if take("<?") { return skip(past: "?>") != nil }
        if take("<!--") { return skip(past: "-->") != nil }
        if take("<![CDATA[") {
            guard !path.isEmpty, let content = skip(past: "]]>") else { return false }
            text += bytes[content]
            return true
        }
        // A document type may define anything, and no S3 store sends one.
        if take("<!") { return false }
        return take("</") ? takeEndTag() : takeStartTag()
    }

    private mutating func takeEndTag() -> Bool {
        guard let content = skip(past: ">"), let name = path.last else { return false }
        var found = bytes[content]
        while let last = found.last, Self.isSpace(last) { found.removeLast() }
        guard found.elementsEqual(name.utf8) else { return false }
        end()
        return true
    }

    private mutating func takeStartTag() -> Bool {
        position += 1
        let start = position
        while position < bytes.count, Self.isInName(bytes[position]) { position += 1 }
        guard position > start, path.count < Self.depthLimit, !(path.isEmpty && !root.isEmpty) else { return false }
        let name = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let isEmpty = takeAttributes() else { return false }
        if path.isEmpty { root = name }
        path.append(name)
        text = []
        if isEmpty { end() }
        return true
    }

    /// - Returns: whether the tag is also the element's end; nil if it has no end itself.
    private mutating func takeAttributes() -> Bool? {
        var quote: UInt8?
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            } else if byte == UInt8(ascii: ">") {
                return bytes[position - 2] == UInt8(ascii: "/")
            }
            if byte == UInt8(ascii: "<") { return nil }
        }
        return nil
    }

    private mutating func end() {
        texts[path.joined(separator: "/"), default: []].append(String(decoding: text, as: UTF8.self))
        path.removeLast()
        text = []
    }

    // MARK: Text

    private mutating func takeText() -> Bool {
        while position < bytes.count, bytes[position] != UInt8(ascii: "<") {
            let byte = bytes[position]
            if byte == UInt8(ascii: "&") {
                guard takeReference() else { return false }
            } else {
                // Around the document there is only white space.
                guard !path.isEmpty || Self.isSpace(byte) else { return false }
                text.append(byte)
                position += 1
            }
        }
        return true
    }

    private mutating func takeReference() -> Bool {
        position += 1
        guard !path.isEmpty, let content = skip(past: ";"), content.count < 12 else { return false }
        let name = String(decoding: bytes[content], as: UTF8.self)
        guard let scalar = Self.named[name] ?? Self.numbered(name) else { return false }
        text += Array(String(Character(scalar)).utf8)
        return true
    }

    private static let named: [String: Unicode.Scalar] = ["amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'"]

    /// `#10` or `#xA`.
    private static func numbered(_ name: String) -> Unicode.Scalar? {
        guard name.hasPrefix("#") else { return nil }
        let digits = name.dropFirst()
        let isHexadecimal = digits.first == "x"
        return UInt32(isHexadecimal ? digits.dropFirst() : digits, radix: isHexadecimal ? 16 : 10)
            .flatMap { Unicode.Scalar($0) }
    }

    // MARK: Bytes

    private mutating func take(_ token: StaticString) -> Bool {
        let wanted = Array(token.description.utf8)
        guard bytes[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    /// - Returns: what lies before the token; nil if it does not come.
    private mutating func skip(past token: StaticString) -> Range<Int>? {
        let wanted = Array(token.description.utf8)
        let start = position
        while position + wanted.count <= bytes.count {
            if bytes[position...].starts(with: wanted) {
                defer { position += wanted.count }
                return start..<position
            }
            position += 1
        }
        return nil
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private static func isInName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: byte >= 0x80
        }
    }
}
