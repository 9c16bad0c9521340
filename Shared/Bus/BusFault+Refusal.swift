// SPDX-License-Identifier: Apache-2.0
package import Messages

extension BusFault {
    package init(refusing error: MessageError) {
        let code: BusFault.Code =
            switch error {
            case .unsupportedVersion: .unsupportedVersion
            case .unsupportedKind: .unsupportedKind
            case .tooLarge: .tooLarge
            case .truncated, .wrongMagic, .reservedBits, .lengthMismatch, .checksumMismatch, .tooDeep, .invalidValue,
                .missingField, .unsupportedShape:
                .malformed
            }
        self.init(code, error.description)
    }
}
