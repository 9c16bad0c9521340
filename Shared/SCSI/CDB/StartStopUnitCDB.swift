// SPDX-License-Identifier: Apache-2.0

/// START STOP UNIT, SBC-3 §5.25.
struct StartStopUnitCDB {
    let immediate: Bool
    let powerCondition: UInt8
    let noFlush: Bool
    let loadEject: Bool
    let start: Bool

    init(_ cdb: CDB) {
        immediate = cdb.bit(0, ofByte: 1)
        powerCondition = cdb.byte(4) >> 4
        noFlush = cdb.bit(2, ofByte: 4)
        loadEject = cdb.bit(1, ofByte: 4)
        start = cdb.bit(0, ofByte: 4)
    }
}
