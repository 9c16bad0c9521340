// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Which names every store can hold: the smallest common part of S3 keys and file names. Checked before each call, so
/// that a name from a damaged record can never point outside the bucket.
package enum ObjectKeyRules {
    /// S3's limit for a whole key.
    package static let keyByteCount = 1024
    /// Linux's limit for a file name.
    package static let componentByteCount = 255
    /// Where a directory bucket keeps its temporary and lock files.
    package static let reservedName = ".sluice-tmp"

    package static func fault(in name: String) -> ObjectStoreError.KeyFault? {
        if name.isEmpty { return .empty }
        if name.utf8.count > keyByteCount { return .tooLong }
        for component in name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            if let fault = fault(inComponent: component) { return fault }
        }
        return nil
    }

    package static func check(_ key: ObjectKey) throws(ObjectStoreError) {
        if let fault = fault(in: key.name) { throw .invalidKey(key.name, fault) }
    }

    /// A prefix of keys need not end where a component ends, so only what could never match is wrong with it.
    package static func check(prefix: String) throws(ObjectStoreError) {
        if prefix.utf8.count > keyByteCount { throw .invalidKey(prefix, .tooLong) }
        for component in prefix.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropLast() {
            if let fault = fault(inComponent: component) { throw .invalidKey(prefix, fault) }
        }
        guard prefix.utf8.allSatisfy({ isAllowed($0) || $0 == UInt8(ascii: "/") }) else {
            throw .invalidKey(prefix, .badCharacter)
        }
    }

    static func fault(inComponent component: Substring.UTF8View) -> ObjectStoreError.KeyFault? {
        if component.isEmpty { return .emptyComponent }
        if component.count > componentByteCount { return .tooLong }
        if component.elementsEqual(".".utf8) || component.elementsEqual("..".utf8) { return .dotComponent }
        if component.elementsEqual(reservedName.utf8) { return .reservedName }
        return component.allSatisfy(isAllowed) ? nil : .badCharacter
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
