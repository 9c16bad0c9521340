// SPDX-License-Identifier: Apache-2.0
import Messages
import Testing
import Wire

// `MessageTrace` is internal: only the environment variable turns it on.
@testable import Bus

@Suite struct MessageTraceTests {
    @Test func writesTheSchemaAsOneLineOfJSON() throws {
        let lines = Shared<[String]>([])
        let trace = MessageTrace { data in lines.update { $0.append(String(decoding: data, as: UTF8.self)) } }
        let body = try MessageCoder.encode(BusFault(.nameTaken, "db is taken"))
        unsafe trace.record(
            .sent, .init(.fault, requestID: 4, isReply: true), body: body.span.bytes, payload: [Frame([1, 2])],
            peer: nil)
        unsafe trace.record(
            .received, .init(.volumeCreate, requestID: 5), body: [1].span.bytes, payload: [],
            peer: PeerIdentity(instance: ServiceInstance(rawValue: 1), ordinal: 2))
        #expect(
            lines.value == [
                #"{"body":{"code":21,"message":"db is taken"},"direction":"sent","isReply":true,"kind":"fault","#
                    + #""payloadByteCounts":[2],"requestID":4}"# + "\n",
                #"{"body":"unreadable: the message ends too early","direction":"received","isReply":false,"#
                    + #""kind":"volumeCreate","payloadByteCounts":[],"#
                    + #""peer":"53000000020000000100000000000000","requestID":5}"# + "\n",
            ])
    }
}
