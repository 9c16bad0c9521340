// SPDX-License-Identifier: Apache-2.0

/// A type that a configuration key may have: text in, value out, and back for `sluice config check`.
package protocol ConfigurationValue: Sendable, Equatable {
    /// Shown to people: "size", "duration".
    static var kindName: String { get }
    /// - Parameter baseDirectory: where relative paths start; absolute, without a slash at its end.
    static func parse(_ text: String, relativeTo baseDirectory: String) throws(ValueRefusal) -> Self
    /// What `parse` turns into this value again.
    var configurationText: String { get }
}

/// Why a text is not a value. `reason` completes the sentence "journal.size: …".
package struct ValueRefusal: Error, Equatable, Sendable {
    package var reason: String
    package init(_ reason: String) { self.reason = reason }
}

extension String: ConfigurationValue {
    package static var kindName: String { "text" }
    package static func parse(_ text: String, relativeTo baseDirectory: String) throws(ValueRefusal) -> String { text }
    package var configurationText: String { self }
}

extension Int: ConfigurationValue {
    package static var kindName: String { "integer" }
    package static func parse(_ text: String, relativeTo baseDirectory: String) throws(ValueRefusal) -> Int {
        guard let value = Int(text) else { throw ValueRefusal("“\(text)” is not a whole number") }
        return value
    }
    package var configurationText: String { String(self) }
}

extension Bool: ConfigurationValue {
    package static var kindName: String { "true | false" }
    package static func parse(_ text: String, relativeTo baseDirectory: String) throws(ValueRefusal) -> Bool {
        switch text {
        case "true": true
        case "false": false
        default: throw ValueRefusal("“\(text)” is neither true nor false")
        }
    }
    package var configurationText: String { self ? "true" : "false" }
}

/// A value that is one of a few words.
package protocol ConfigurationChoice: ConfigurationValue, CaseIterable, RawRepresentable where RawValue == String {}

extension ConfigurationChoice {
    package static var kindName: String { allCases.map(\.rawValue).joined(separator: " | ") }
    package static func parse(_ text: String, relativeTo baseDirectory: String) throws(ValueRefusal) -> Self {
        guard let value = Self(rawValue: text) else { throw ValueRefusal("“\(text)” is not one of \(kindName)") }
        return value
    }
    package var configurationText: String { rawValue }
}
