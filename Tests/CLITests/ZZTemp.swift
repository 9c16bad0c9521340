// SPDX-License-Identifier: Apache-2.0
import Messages
import Testing
import Wire
struct ZZTemp {
    @Test func t() throws {
        let r = VolumeCreateRequest(name: "a", byteCount: nil, snapshot: SnapshotID(rawValue: 1))
        let b = try MessageCoder.encode(r)
        print(b)
        let d = try MessageCoder.decode(VolumeCreateRequest.self, from: b)
        print(d)
        #expect(d.byteCount == nil)
    }
}
