// SPDX-License-Identifier: Apache-2.0
import ISCSI
import SCSI
import Testing
import Wire

/// Commands and data that break the rules: the connection goes on, nothing of them is taken, and other tasks do not
/// notice.
struct FullFeatureMalformedTests {
    private func dataOut(
        _ task: UInt32, tag: UInt32 = TaskTag.reserved, dataSN: UInt32 = 0, offset: UInt32 = 0, isFinal: Bool = true
    ) -> SCSIDataOut {
        var pdu = SCSIDataOut()
        (pdu.initiatorTaskTag, pdu.targetTransferTag, pdu.dataSN) = (task, tag, dataSN)
        (pdu.bufferOffset, pdu.isFinal) = (offset, isFinal)
        return pdu
    }

    private func block(_ count: Int = 512) -> [UInt8] { [UInt8](repeating: 1, count: count) }

    /// A write of 2048 bytes for which one R2T is out.
    private func solicited() throws -> (harness: FullFeatureHarness, task: Int, tag: UInt32) {
        let harness = FullFeatureHarness { ($0.initialR2T, $0.immediateData) = (true, false) }
        let task = try #require(harness.command(tag: 5, write: 2048).newTask)
        _ = harness.begin(task, 2048)
        harness.machine.requestData(task, output: &harness.output)
        let tag = try #require(harness.answer()?.pdu(ReadyToTransfer.self)).targetTransferTag
        return (harness, task, tag)
    }

    @Test func solicitedDataOutsideOfItsSequenceFailsTheCommand() throws {
        let breaches: [(String, (UInt32) -> SCSIDataOut, Int)] = [
            ("wrong transfer tag", { self.dataOut(5, tag: $0 &+ 1) }, 2048),
            ("unsolicited", { _ in self.dataOut(5) }, 2048),
            ("beyond the command", { self.dataOut(5, tag: $0, offset: 2048) }, 2048),
            ("far beyond", { self.dataOut(5, tag: $0, offset: .max) }, 512),
            ("longer than asked for", { self.dataOut(5, tag: $0) }, 2049),
            ("wrong DataSN", { self.dataOut(5, tag: $0, dataSN: 1) }, 2048),
            ("ended early", { self.dataOut(5, tag: $0) }, 512),
        ]
        for (name, pdu, byteCount) in breaches {
            let (harness, task, tag) = try solicited()
            let actions = harness.send(pdu(tag), data: block(byteCount))
            #expect(actions.executes.isEmpty && actions.released == [task], "\(name)")
            let answer = try #require(harness.answer())
            #expect(answer.pdu(SCSIResponse.self)?.status == 2, "\(name)")
            #expect(answer.data[4] == 0x0b && answer.data[14...15] == [0x47, 0x05], "\(name)")
            #expect(harness.command(tag: 6, read: 512).newTask != nil)
        }
    }

    @Test func aWrongUnitInSolicitedDataFailsTheCommand() throws {
        let (harness, _, tag) = try solicited()
        var pdu = dataOut(5, tag: tag)
        pdu.logicalUnit = LogicalUnitNumber(rawValue: 1 << 48)
        #expect(harness.send(pdu, data: block(2048)).executes.isEmpty)
        #expect(try #require(harness.answer()?.pdu(SCSIResponse.self)).status == 2)
    }

    @Test func dataOfNobodyIsDropped() throws {
        let (harness, _, tag) = try solicited()
        for pdu in [dataOut(99), dataOut(99, tag: tag), dataOut(TaskTag.reserved, tag: tag)] {
            #expect(harness.send(pdu, data: block()).isEmpty)
        }
        let other = try #require(harness.command(tag: 7, read: 512).newTask)
        _ = harness.begin(other, 0)
        #expect(harness.send(dataOut(7), data: block()).isEmpty, "a read takes no data")
        #expect(harness.answers().isEmpty)
        for _ in 0..<1000 { #expect(harness.send(dataOut(5, tag: tag, dataSN: 3, isFinal: false)).isEmpty) }
    }

    @Test func dataWithAWrongDigestFailsTheCommandAtItsEnd() throws {
        let (harness, task, tag) = try solicited()
        #expect(harness.send(dataOut(5, tag: tag, isFinal: false), data: block(), isIntact: false).isEmpty)
        #expect(try #require(harness.answer()?.pdu(Reject.self)).reason == 0x02)
        let rest = dataOut(5, tag: tag, dataSN: 1, offset: 512)
        #expect(harness.send(rest, data: block(1536)) == [.released(task: task)])
        #expect(try #require(harness.answer()).data[14...15] == [0x47, 0x05])
    }

    @Test func unsolicitedDataWhereNoneIsAllowedFailsTheCommandAtItsEnd() throws {
        for isAllowed in [false, true] {
            let harness = FullFeatureHarness {
                ($0.initialR2T, $0.firstBurstByteCount) = (!isAllowed, 512)
            }
            // Where it is allowed, the immediate data is the whole first burst already.
            let start = harness.command(
                tag: 5, write: 2048, isFinal: false, immediate: isAllowed ? block(512) : [])
            let task = try #require(start.newTask)
            #expect(harness.begin(task, 2048) == [.wantsData(task: task)])
            let offset = isAllowed ? UInt32(512) : 0
            #expect(harness.send(dataOut(5, offset: offset, isFinal: false), data: block(512)).isEmpty)
            #expect(harness.answers().isEmpty)
            harness.machine.requestData(task, output: &harness.output)
            #expect(harness.answers().isEmpty, "nothing more is asked for")
            #expect(
                harness.send(dataOut(5, dataSN: 1, offset: offset + 512), data: block(1024)) == [.released(task: task)])
            #expect(try #require(harness.answer()).data[14...15] == [0x47, 0x05])
        }
    }

    @Test func anEmptyEndOfDataThatIsCompleteIsHarmless() throws {
        let harness = FullFeatureHarness { $0.firstBurstByteCount = 512 }
        let task = try #require(harness.command(tag: 5, write: 1024, isFinal: false, immediate: block(512)).newTask)
        _ = harness.begin(task, 1024)
        #expect(harness.send(dataOut(5, offset: 512)) == [.wantsData(task: task)])
        harness.machine.requestData(task, output: &harness.output)
        let tag = try #require(harness.answer()?.pdu(ReadyToTransfer.self)).targetTransferTag
        #expect(harness.send(dataOut(5, tag: tag, offset: 512), data: block(512)).executes == [task])
    }

    @Test func severalRequestsForDataMayBeOut() throws {
        let harness = FullFeatureHarness {
            ($0.initialR2T, $0.immediateData) = (true, false)
            ($0.maxOutstandingR2T, $0.maxBurstByteCount) = (3, 1024)
        }
        let task = try #require(harness.command(tag: 5, write: 4096).newTask)
        _ = harness.begin(task, 4096)
        harness.machine.requestData(task, output: &harness.output)
        var requests = harness.answers().compactMap { $0.pdu(ReadyToTransfer.self) }
        #expect(requests.map(\.bufferOffset) == [0, 1024, 2048] && requests.map(\.r2tSN) == [0, 1, 2])
        #expect(Set(requests.map(\.targetTransferTag)).count == 3)
        var executed: [Int] = []
        while !requests.isEmpty {
            let request = requests.removeFirst()
            let pdu = dataOut(5, tag: request.targetTransferTag, offset: request.bufferOffset)
            let actions = harness.send(pdu, data: block(1024))
            executed += actions.executes
            if actions.contains(.wantsData(task: task)) {
                harness.machine.requestData(task, output: &harness.output)
                requests += harness.answers().compactMap { $0.pdu(ReadyToTransfer.self) }
            }
        }
        #expect(executed == [task])
        harness.finish(task, byteCount: 4096)
        #expect(try #require(harness.answer()?.pdu(SCSIResponse.self)).expDataSN == 4)
    }

    @Test func anExtendedCDBIsTakenUpToItsLongest() throws {
        func additional(_ count: Int) -> [UInt8] {
            [UInt8(count >> 8), UInt8(count & 0xff), 1, 0] + [UInt8](repeating: 0xee, count: (count + 2) & ~3)
        }
        for (count, isGood) in [(1, true), (5, true), (16, true), (245, true), (246, false), (0, false)] {
            let harness = FullFeatureHarness()
            var command = SCSICommand()
            (command.initiatorTaskTag, command.cmdSN, command.cdb) = (
                2, harness.takeCmdSN(), CDB(rawValue: 0x7f << 120)
            )
            let bytes = count == 0 ? [0, 0, 1, 0] : additional(count)
            let task = harness.send(command, additional: bytes).newTask
            #expect((task != nil) == isGood, "\(count)")
            if let task {
                #expect(harness.machine.command(of: task).cdb == command.cdb)
            } else {
                #expect(try #require(harness.answer()?.pdu(Reject.self)).reason == 0x09)
            }
            #expect(harness.command(tag: 9, read: 512).newTask != nil, "its number was consumed")
        }
    }

    @Test func aBidirectionalLengthIsACheckCondition() throws {
        let harness = FullFeatureHarness()
        var command = SCSICommand()
        (command.initiatorTaskTag, command.cmdSN) = (2, harness.takeCmdSN())
        #expect(harness.send(command, additional: [0, 5, 2, 0, 0, 0, 16, 0]).newTask == nil)
        #expect(try #require(harness.answer()).data[14...15] == [0x24, 0x00])
    }

    @Test func otherPDUsMayCarryAdditionalHeaders() throws {
        let harness = FullFeatureHarness()
        var nop = NOPOut()
        (nop.isImmediate, nop.initiatorTaskTag) = (true, 9)
        harness.send(nop, data: [1, 2], additional: [0xff, 0xff, 0xff, 0xff])
        #expect(try #require(harness.answer()).data == [1, 2])
    }

    @Test func aDiscoverySessionMovesNoData() throws {
        let harness = FullFeatureHarness(discovery: true)
        #expect(harness.send(dataOut(1), data: block()).isEmpty)
        #expect(try #require(harness.answer()?.pdu(Reject.self)).reason == 0x04)
        var logout = LogoutRequest()
        (logout.isImmediate, logout.initiatorTaskTag) = (true, 8)
        #expect(harness.send(logout) == [.logout(logout)])
        #expect(harness.send(logout).isEmpty, "once")
    }

    @Test func numbersFarAwayAreIgnoredAndTheNextOneWorks() throws {
        let harness = FullFeatureHarness(windowDepth: 4)
        let next = harness.cmdSN
        for offset in [-1, 1, 3, 4, 100, -100, 0x7fff_ffff, -0x8000_0000] {
            harness.cmdSN = next.advanced(by: offset)
            #expect(harness.command(tag: 1, read: 512).isEmpty, "\(offset)")
        }
        #expect(harness.answers().isEmpty)
        harness.cmdSN = next
        for tag in UInt32(0)..<12 {
            let task = try #require(harness.command(tag: tag, read: 0).newTask)
            _ = harness.begin(task, 0)
            harness.finish(task)
            let response = try #require(harness.answer()?.pdu(SCSIResponse.self))
            #expect(response.sequence.expCmdSN == harness.cmdSN)
            #expect(response.sequence.maxCmdSN == harness.cmdSN.advanced(by: 3))
        }
        #expect(harness.cmdSN.rawValue < 16, "the numbers have wrapped")
    }

    @Test func lengthsThatDoNotFitTheCommandAreResiduals() throws {
        let table: [(edtl: UInt32, command: Int, flags: UInt8, residual: UInt32)] = [
            (.max, 512, 0x82, .max - 512), (0, 512, 0x84, 512), (200, 512, 0x84, 312), (1024, 512, 0x82, 512),
            (512, 512, 0x80, 0),
        ]
        for row in table {
            let harness = FullFeatureHarness { ($0.initialR2T, $0.immediateData) = (true, false) }
            let task = try #require(harness.command(tag: 5, write: Int(row.edtl)).newTask)
            _ = harness.begin(task, row.command)
            #expect(harness.machine.wantedByteCount(of: task) == min(Int(row.edtl), row.command))
            if row.edtl > 0 {
                harness.machine.requestData(task, output: &harness.output)
                let r2t = try #require(harness.answer()?.pdu(ReadyToTransfer.self))
                #expect(r2t.desiredDataTransferLength == min(row.edtl, 512), "never more than the command takes")
                let pdu = dataOut(5, tag: r2t.targetTransferTag)
                #expect(harness.send(pdu, data: block(Int(r2t.desiredDataTransferLength))).executes == [task])
            }
            harness.finish(task, byteCount: row.command)
            let response = try #require(harness.answer()?.pdu(SCSIResponse.self))
            #expect(response.status == 0 && response.flags == row.flags && response.residual == row.residual)
        }
    }

    @Test func aReadThatAnnouncesDataIsTakenAsFinal() throws {
        let harness = FullFeatureHarness()
        let task = try #require(harness.command(tag: 5, read: 512, isFinal: false).newTask)
        #expect(harness.begin(task, 0).executes == [task])
        // Reserved bits mean nothing.
        var header = SCSICommand().encoded()
        for (index, byte) in [(1, UInt8(0x98)), (2, 0xff), (3, 0xff), (19, 0x77)] { header[index] = byte }
        let number = harness.takeCmdSN().rawValue
        for index in 0..<4 { header[24 + index] = UInt8(truncatingIfNeeded: number >> UInt32(24 - 8 * index)) }
        #expect(harness.deliver(header: header).newTask != nil)
    }
}
