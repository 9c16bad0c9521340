// SPDX-License-Identifier: Apache-2.0
import Wire

/// The CDB as it travels to a volume's owner: always 16 bytes.
extension CDB {
    package static let byteCount = 16

    /// - Parameter bytes: at least `byteCount`; the first ones are the CDB.
    package init(bytes: RawSpan) {
        self.init(high: bytes.bigEndian(at: 0, as: UInt64.self), low: bytes.bigEndian(at: 8, as: UInt64.self))
    }

    package var bytes: [UInt8] { (0..<Self.byteCount).map { byte($0) } }
}
