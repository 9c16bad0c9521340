// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Wire

/// Decode, encode, decode: each PDU is equal to itself.
enum PDUStability {
    static func check(_ header: HeaderBytes) {
        check(SCSICommand.self, header)
        check(SCSIDataOut.self, header)
        check(TaskManagementRequest.self, header)
        check(LoginRequest.self, header)
        check(TextRequest.self, header)
        check(LogoutRequest.self, header)
        check(NOPOut.self, header)
        check(SCSIResponse.self, header)
        check(SCSIDataIn.self, header)
        check(ReadyToTransfer.self, header)
        check(TaskManagementResponse.self, header)
        check(LoginResponse.self, header)
        check(TextResponse.self, header)
        check(LogoutResponse.self, header)
        check(NOPIn.self, header)
        check(Reject.self, header)
        check(AsyncMessage.self, header)
    }

    private static func check<PDU: FixedPDU & Equatable>(_: PDU.Type, _ header: HeaderBytes) {
        guard let pdu = PDU(decoding: header) else { return }
        let encoded = pdu.encoded()
        guard let again = PDU(decoding: encoded) else { preconditionFailure("\(PDU.self) has another opcode") }
        precondition(again == pdu, "\(PDU.self) does not decode to itself")
        let encodedAgain = again.encoded()
        for index in 0..<48 { precondition(encodedAgain[index] == encoded[index], "\(PDU.self) is not stable") }
    }
}
