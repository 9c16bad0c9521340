// SPDX-License-Identifier: Apache-2.0

/// Ids that travel between services, live in the bucket and are shown to people.
/// They are 64-bit random numbers; the text form is AWS's (`vol-` and 17 hexadecimal digits, lower case).
package protocol ResourceIdentifier: RawRepresentable, Hashable, Comparable, Codable, Sendable,
    CustomStringConvertible, LosslessStringConvertible
where RawValue == UInt64 {
    static var prefix: String { get }
    init(rawValue: UInt64)
}

extension ResourceIdentifier {
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    package var description: String { Self.prefix + "-0" + hexadecimal(rawValue, digits: 16) }

    package init?(_ description: String) {
        let head = Self.prefix + "-0"
        guard description.hasPrefix(head), description.utf8.count == head.utf8.count + 16,
            let value = UInt64(description.dropFirst(head.count), radix: 16)
        else { return nil }
        self.init(rawValue: value)
    }

    /// Messages carry the number; records that people read (JSON, where numbers above 2^53 are not safe in other
    /// programs' hands) carry the text.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard decoder.userInfo[.identifiersAsText] as? Bool == true else {
            self.init(rawValue: try container.decode(UInt64.self))
            return
        }
        let text = try container.decode(String.self)
        guard let id = Self(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(Self.prefix) id \(text)")
        }
        self = id
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if encoder.userInfo[.identifiersAsText] as? Bool == true {
            try container.encode(description)
        } else {
            try container.encode(rawValue)
        }
    }
}

extension CodingUserInfoKey {
    /// Set to true in coders of records that people read.
    package static let identifiersAsText: CodingUserInfoKey = {
        guard let key = CodingUserInfoKey(rawValue: "identifiersAsText") else {
            preconditionFailure("every string is a key")
        }
        return key
    }()
}

package struct VolumeID: ResourceIdentifier {
    package static let prefix = "vol"
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

package struct SnapshotID: ResourceIdentifier {
    package static let prefix = "snap"
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Snapshots of several volumes that were made at one instant.
package struct SnapshotGroupID: ResourceIdentifier {
    package static let prefix = "grp"
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

package struct GatewayID: ResourceIdentifier {
    package static let prefix = "sgw"
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// One run of one service process; drawn at random at its start. A restarted process is another instance.
package struct ServiceInstance: ResourceIdentifier {
    package static let prefix = "run"
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// One run of one volume under a lease: who wrote a HEAD, apart from all earlier runs and from copies of the machine.
package struct LeaseRun: ResourceIdentifier {
    package static let prefix = "lease"
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// The name of an object, relative to the bucket's configured prefix: components of `[A-Za-z0-9._-]` joined by `/`.
package struct ObjectKey: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    package let name: String
    package init(_ name: String) { self.name = name }
    package var description: String { name }
    package static func < (left: Self, right: Self) -> Bool { left.name < right.name }

    package init(from decoder: any Decoder) throws { name = try decoder.singleValueContainer().decode(String.self) }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}

/// What the store calls this version of an object; compared for equality only, never interpreted.
package struct EntityTag: Hashable, Codable, Sendable, CustomStringConvertible {
    package let value: String
    package init(_ value: String) { self.value = value }
    package var description: String { value }

    package init(from decoder: any Decoder) throws { value = try decoder.singleValueContainer().decode(String.self) }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}

/// The condition of a PUT, decided by the store itself (RFC 9110 §13.1).
package enum WritePrecondition: Hashable, Codable, Sendable {
    case none
    /// `If-None-Match: *`
    case absent
    /// `If-Match: <etag>`
    case matches(EntityTag)
}

package func hexadecimal(_ value: UInt64, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}
