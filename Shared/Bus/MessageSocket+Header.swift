// SPDX-License-Identifier: Apache-2.0
package import Messages

extension MessageSocket {
    /// A message on its way out. The body is the encoded Codable value or fixed-layout requests.
    package struct Header {
        package var kind: MessageKind
        package var requestID: UInt64
        package var isReply: Bool
        package var lowestOpenNumber: UInt64
        /// Milliseconds; 0 = no limit.
        package var timeoutMilliseconds: UInt32
        package init(
            _ kind: MessageKind, requestID: UInt64, isReply: Bool = false, lowestOpenNumber: UInt64 = 0,
            timeoutMilliseconds: UInt32 = 0
        ) {
            self.kind = kind
            self.requestID = requestID
            self.isReply = isReply
            self.lowestOpenNumber = lowestOpenNumber
            self.timeoutMilliseconds = timeoutMilliseconds
        }
    }
}
