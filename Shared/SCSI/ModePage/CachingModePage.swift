// SPDX-License-Identifier: Apache-2.0

/// Caching, page 08h (SBC-3 §6.5.5). WCE tells the initiator whether it has to flush.
enum CachingModePage {
    static func body(of unit: LogicalUnit) -> [UInt8] {
        var body = [UInt8](repeating: 0, count: 18)
        if unit.isWriteCacheEnabled { body[0] = 0x04 }
        return body
    }
}
