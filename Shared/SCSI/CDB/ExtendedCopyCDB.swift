// SPDX-License-Identifier: Apache-2.0

/// EXTENDED COPY(LID1), SPC-4 §6.4.
struct ExtendedCopyCDB {
    let parameterListLength: Int

    init(_ cdb: CDB) { parameterListLength = Int(cdb.field(at: 10, byteCount: 4)) }
}
