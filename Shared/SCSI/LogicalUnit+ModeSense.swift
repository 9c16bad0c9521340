// SPDX-License-Identifier: Apache-2.0

extension LogicalUnit {
    /// MODE SENSE(6) and (10), SPC-4 §6.13-6.14.
    package func modeSense(_ cdb: CDB, _ parameters: ModeParameters) throws(SCSIError) -> CommandResult {
        let fields = ModeSenseCDB(cdb)
        if fields.pageControl == .saved { throw .savingParametersNotSupported }
        let pages = try ModePage.pages(fields, of: self, parameters)
        let header = ModeParameterHeader(
            isLong: fields.isLong, hasBlockDescriptor: !fields.disableBlockDescriptors,
            usesLongAddresses: fields.longAddressesAccepted)
        let isWriteProtected = isReadOnly || parameters.isSoftwareWriteProtected
        return CommandResult(
            dataIn: header.data(of: self, isWriteProtected: isWriteProtected, pages: pages),
            allocationLength: fields.allocationLength)
    }
}
