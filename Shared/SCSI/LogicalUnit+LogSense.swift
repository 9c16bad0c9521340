// SPDX-License-Identifier: Apache-2.0

extension LogicalUnit {
    /// LOG SENSE, SPC-4 §6.8.
    package func logSense(_ cdb: CDB, _ use: ProvisioningUse) throws(SCSIError) -> CommandResult {
        let fields = LogSenseCDB(cdb)
        if fields.saveParameters { throw .invalidFieldInCDB(byte: 1, bit: 0) }
        let page = try LogPage(code: fields.pageCode, subpage: fields.subpageCode)
        let body =
            switch page {
            case .supportedPages: LogPage.codes
            case .supportedPagesAndSubpages: LogPage.codesAndSubpages
            case .logicalBlockProvisioning: try use.parameters(from: fields.parameterPointer)
            }
        return CommandResult(dataIn: page.data(body), allocationLength: fields.allocationLength)
    }
}
