// SPDX-License-Identifier: Apache-2.0

extension LogicalUnit {
    /// MODE SENSE(6) and (10), SPC-4 §6.13-6.14.
    package func modeSense(_ cdb: CDB, _ parameters: ModeParameters) throws(SCSIError) -> CommandResult {
        let fields = ModeSenseCDB(cdb)
        return CommandResult(dataIn: try modeData(fields, parameters), allocationLength: fields.allocationLength)
    }

    /// Whether the initiator learns from this MODE SENSE whether there is a write cache now.
    func showsWriteCache(_ cdb: CDB, _ parameters: ModeParameters) throws(SCSIError) -> Bool {
        let fields = ModeSenseCDB(cdb)
        guard fields.pageControl == .current, try ModePage.pages(fields).contains(.caching) else { return false }
        return try modeData(fields, parameters).count <= fields.allocationLength
    }

    /// Whatever the allocation length.
    private func modeData(_ fields: ModeSenseCDB, _ parameters: ModeParameters) throws(SCSIError) -> [UInt8] {
        if fields.pageControl == .saved { throw .savingParametersNotSupported }
        let pages = try ModePage.pages(fields).reduce(into: []) {
            $0 += $1.data(fields.pageControl, of: self, parameters)
        }
        let header = ModeParameterHeader(
            isLong: fields.isLong, hasBlockDescriptor: !fields.disableBlockDescriptors,
            usesLongAddresses: fields.longAddressesAccepted)
        let isWriteProtected = isReadOnly || parameters.isSoftwareWriteProtected
        return header.data(of: self, isWriteProtected: isWriteProtected, pages: pages)
    }
}
