// SPDX-License-Identifier: Apache-2.0
import Logging
import ServiceKit
import Testing

struct LogLineTests {
    private let time = "2026-11-02T10:20:30.123Z"

    @Test func writesTextForPeople() {
        let line = LogLine.text(
            time: time, level: .info, label: "cache-0", message: "volume opened",
            metadata: ["volume": "vol-1", "why": "it was \"ours\"", "empty": ""])
        #expect(
            line == time + " info     volume opened empty=\"\" volume=vol-1 why=\"it was \\\"ours\\\"\"\n")
    }

    @Test func writesJSONForPrograms() {
        let line = LogLine.json(
            time: time, level: .error, label: "cache-0", message: "say \"hi\"\n",
            metadata: ["list": ["a", "b"], "map": ["k": "v\u{1}"], "path": "a\\b"])
        #expect(
            line == #"{"time":"\#(time)","level":"error","service":"cache-0","message":"say \"hi\"\n","#
                + #""metadata":{"list":["a","b"],"map":{"k":"v\u0001"},"path":"a\\b"}}"# + "\n")
    }

    @Test func nobodyForgesALineOrDrivesATerminal() {
        let hostile = "x\nERROR forged \u{1b}[2J\r\u{9b}0m"
        let line = LogLine.text(
            time: time, level: .info, label: "", message: hostile, metadata: ["initiator": "\(hostile)"])
        #expect(line.unicodeScalars.filter { $0.properties.generalCategory == .control } == ["\n"])
        #expect(line.hasSuffix("\n"))
    }

    @Test func writesTimes() {
        #expect(Timestamp(milliseconds: 0).iso8601 == "1970-01-01T00:00:00.000Z")
        #expect(Timestamp(milliseconds: 1_793_614_830_045).iso8601 == "2026-11-02T10:20:30.045Z")
        #expect(!Timestamp(milliseconds: .max).iso8601.isEmpty, "a damaged record is no reason to crash")
    }
}
