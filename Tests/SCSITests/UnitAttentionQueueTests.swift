// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing

@Suite struct UnitAttentionQueueTests {
    @Test func aNewNexusLearnsOfPowerOn() {
        var queue = UnitAttentionQueue()
        #expect(queue.takeFirst() == .powerOnOccurred)
        #expect(queue.takeFirst() == nil)
        var returning = UnitAttentionQueue(first: .nexusLossOccurred)
        #expect(returning.takeFirst() == .nexusLossOccurred)
    }

    @Test func attentionsAreToldInOrderAndOnce() {
        var queue = UnitAttentionQueue.drained
        for attention in [UnitAttention.capacityDataHasChanged, .modeParametersChanged, .capacityDataHasChanged] {
            queue.post(attention)
        }
        #expect(queue.count == 2)
        #expect(queue.takeFirst() == .capacityDataHasChanged)
        #expect(queue.takeFirst() == .modeParametersChanged)
        #expect(queue.isEmpty)
    }

    @Test func aResetReplacesWhatWasPending() {
        var queue = UnitAttentionQueue()
        queue.post(.capacityDataHasChanged)
        queue.post(.busDeviceResetFunctionOccurred)
        queue.post(.modeParametersChanged)
        #expect(queue.takeFirst() == .busDeviceResetFunctionOccurred)
        #expect(queue.takeFirst() == .modeParametersChanged)
        #expect(queue.isEmpty)
    }

    @Test func aFullQueueBecomesOneAttentionThatSaysAll() {
        var queue = UnitAttentionQueue.drained
        for code in 0..<16 { queue.post(UnitAttention(rawValue: 0x3F00 + UInt16(code))) }
        #expect(queue.count == 16)
        queue.post(UnitAttention(rawValue: 0x3F0F))
        #expect(queue.count == 16)
        queue.post(.modeParametersChanged)
        #expect(queue.count == 1)
        #expect(queue.takeFirst() == .powerOnResetOrBusDeviceReset)
    }

    @Test func removingKeepsTheOthersInOrder() {
        var queue = UnitAttentionQueue.drained
        queue.post(.modeParametersChanged)
        queue.post(.reportedLUNsDataHasChanged)
        queue.post(.capacityDataHasChanged)
        queue.remove(.inquiryDataHasChanged)
        queue.remove(.reportedLUNsDataHasChanged)
        #expect(!queue.contains(.reportedLUNsDataHasChanged))
        #expect(queue.takeFirst() == .modeParametersChanged)
        #expect(queue.takeFirst() == .capacityDataHasChanged)
        #expect(queue.isEmpty)
    }

    @Test func behavesAsAnOrderedSetUnderRandomUse() {
        var random = SeededRandom(seed: 29)
        var queue = UnitAttentionQueue.drained
        var model: [UInt16] = []
        let codes: [UInt16] = [0x2900, 0x2901, 0x2A01, 0x2A09, 0x2F00, 0x3F03] + (0x3F20..<0x3F32)
        for _ in 0..<2000 {
            let code = codes[random.below(codes.count)]
            switch random.below(4) {
            case 0:
                #expect(queue.takeFirst()?.rawValue == (model.isEmpty ? nil : model.removeFirst()))
            case 1:
                queue.remove(UnitAttention(rawValue: code))
                model.removeAll { $0 == code }
            default:
                queue.post(UnitAttention(rawValue: code))
                if code >> 8 == 0x29 { model = [] }
                if !model.contains(code) { model = model.count == 16 ? [0x2900] : model + [code] }
            }
            #expect(queue.count == model.count)
        }
    }
}
