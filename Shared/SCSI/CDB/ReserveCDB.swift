// SPDX-License-Identifier: Apache-2.0

/// RESERVE and RELEASE(6) and (10), SPC-2 §7.16-7.17 and §7.21-7.22. Whatever reserves less than the whole unit, or for
/// somebody else, is refused.
struct ReserveCDB {
    let thirdParty: Bool
    /// LONGID, only of the long ones.
    let longID: Bool
    let extent: Bool

    init(_ cdb: CDB) {
        thirdParty = cdb.bit(4, ofByte: 1)
        longID = cdb.form == .ten && cdb.bit(1, ofByte: 1)
        extent = cdb.bit(0, ofByte: 1)
    }
}
