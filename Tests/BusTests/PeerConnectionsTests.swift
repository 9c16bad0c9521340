// SPDX-License-Identifier: Apache-2.0
import Bus
import Testing
import Wire

struct PeerConnectionsTests {
    private let first = PeerIdentity(instance: ServiceInstance(rawValue: 1), ordinal: 1)
    private let second = PeerIdentity(instance: ServiceInstance(rawValue: 2), ordinal: 1)

    @Test func thePeerHeardOnADescriptorIsGoneWithIt() {
        var connections = PeerConnections()
        connections.heard(first, on: 20)
        connections.heard(second, on: 21)
        connections.ended(20)
        #expect(connections.takeGone() == [first])
        #expect(connections.takeGone().isEmpty)
        connections.ended(20)
        connections.ended(-1)
        connections.ended(5000)
        #expect(connections.takeGone().isEmpty)
    }

    @Test func whatWasSentBeforeTheEndDoesNotBringThePeerBack() {
        var connections = PeerConnections()
        connections.heard(first, on: 20)
        connections.ended(20)
        connections.heard(first, on: 20)
        #expect(connections.takeGone() == [first])
    }

    @Test func aPeerOnANewConnectionIsNotGone() {
        var connections = PeerConnections()
        connections.heard(first, on: 20)
        connections.heard(first, on: 22)
        connections.ended(20)
        #expect(connections.takeGone().isEmpty)
        connections.ended(22)
        #expect(connections.takeGone() == [first])
    }

    @Test func whoeverTakesADescriptorShowsThatItsFormerOwnerIsGone() {
        var connections = PeerConnections()
        connections.heard(first, on: 20)
        connections.heard(second, on: 20)
        #expect(connections.takeGone() == [first])
        connections.ended(20)
        #expect(connections.takeGone() == [second])
    }

    @Test func messagesWithoutADescriptorChangeNothing() {
        var connections = PeerConnections()
        connections.heard(first, on: nil)
        #expect(connections.takeGone().isEmpty)
    }
}
