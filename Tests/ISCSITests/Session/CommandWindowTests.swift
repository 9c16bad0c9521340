// SPDX-License-Identifier: Apache-2.0
import ISCSI
import TestSupport
import Testing

struct CommandWindowTests {
    @Test func ignoresNumbersOutsideAndOutOfOrder() {
        var window = CommandWindow(expCmdSN: SerialNumber(100), depth: 4)
        #expect(window.receive(SerialNumber(99)) == .ignore)
        #expect(window.receive(SerialNumber(101)) == .ignore)
        #expect(window.receive(SerialNumber(104)) == .ignore)
        #expect(window.receive(SerialNumber(100)) == .accept)
        #expect(window.receive(SerialNumber(100)) == .ignore)
        #expect(window.expCmdSN == SerialNumber(101))
    }

    @Test func countsThroughTheWrap() {
        var window = CommandWindow(expCmdSN: SerialNumber(0xffff_fffe), depth: 8)
        for _ in 0..<5 {
            #expect(window.receive(window.expCmdSN) == .accept)
        }
        #expect(window.expCmdSN == SerialNumber(3))
        #expect(window.maxCmdSN == SerialNumber(10))
        #expect(SerialNumber(0xffff_ffff).distance(to: SerialNumber(2)) == 3)
        #expect(SerialNumber(2).distance(to: SerialNumber(0xffff_ffff)) == -3)
    }

    @Test func closesWhenFullAndNeverShrinks() {
        var random = SeededRandom(seed: 31)
        var window = CommandWindow(expCmdSN: SerialNumber(0xffff_ff00), depth: 16)
        var open = 0
        var highest = window.maxCmdSN
        for _ in 0..<2000 {
            if random.oneIn(2) {
                let isRoom = open < 16
                #expect((window.receive(window.expCmdSN) == .accept) == isRoom)
                if isRoom {
                    window.open()
                    open += 1
                }
            } else if open > 0 {
                window.close()
                open -= 1
            }
            #expect(highest.distance(to: window.maxCmdSN) >= 0)
            highest = window.maxCmdSN
            #expect(window.expCmdSN.distance(to: window.maxCmdSN) == 15 - open)
        }
    }

    @Test func takesACancelledNumberAsAborted() {
        var window = CommandWindow(expCmdSN: SerialNumber(7), depth: 4)
        #expect(window.cancel(SerialNumber(8)) == true)
        #expect(window.cancel(SerialNumber(8)) == true)
        #expect(window.cancel(SerialNumber(6)) == false)
        #expect(window.cancel(SerialNumber(11)) == false)
        #expect(window.receive(SerialNumber(7)) == .accept)
        #expect(window.receive(SerialNumber(8)) == .aborted)
        #expect(window.receive(SerialNumber(9)) == .accept)
    }
}
