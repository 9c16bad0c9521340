// SPDX-License-Identifier: Apache-2.0

/// The parameter data of PERSISTENT RESERVE IN (SPC-4 §6.15), uncut.
extension PersistentReservations {
    enum Report: UInt8, CaseIterable { case keys, reservation, capabilities, fullStatus }

    func data(of report: Report, relativeTargetPort: UInt16) -> [UInt8] {
        switch report {
        case .keys: withHeader(registrants.flatMap { bytes(of: $0.key) })
        case .reservation: withHeader(reservationDescriptor)
        case .capabilities: capabilities
        case .fullStatus: withHeader(registrants.flatMap { fullStatusDescriptor(of: $0, relativeTargetPort) })
        }
    }

    private func withHeader(_ descriptors: [UInt8]) -> [UInt8] {
        var data: [UInt8] = []
        data.appendBigEndian(generation)
        data.appendBigEndian(UInt32(descriptors.count))
        return data + descriptors
    }

    private func bytes(of key: ReservationKey) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(key.rawValue)
        return bytes
    }

    private var reservationDescriptor: [UInt8] {
        guard let reservation else { return [] }
        let key = reservation.holder.flatMap { self.key(of: $0) } ?? .none
        var descriptor = bytes(of: key)
        descriptor.appendZeros(5)
        descriptor += [reservation.kind.rawValue, 0, 0]
        return descriptor
    }

    /// No CRH: RESERVE and RELEASE conflict with registrations.
    private var capabilities: [UInt8] {
        // SIP_C, ATP_C and PTPL_C; TMV, ALLOW COMMANDS 1, and PTPL_A; then the types: the six of `Kind`.
        [0, 8, 0x0D, 0x90 | (isKeptOverPowerLoss ? 0x01 : 0), 0xEA, 0x01, 0, 0]
    }

    private func fullStatusDescriptor(of registrant: Registrant, _ relativeTargetPort: UInt16) -> [UInt8] {
        let kind = isHolder(registrant.nexus) ? reservation?.kind : nil
        let transportID = TransportID.port(registrant.port).bytes
        var descriptor = bytes(of: registrant.key)
        descriptor.appendZeros(4)
        // ALL_TG_PT and R_HOLDER.
        descriptor += [(registrant.isForAllTargetPorts ? 0x02 : 0) | (kind == nil ? 0 : 0x01), kind?.rawValue ?? 0]
        descriptor.appendZeros(4)
        descriptor.appendBigEndian(relativeTargetPort)
        descriptor.appendBigEndian(UInt32(transportID.count))
        return descriptor + transportID
    }
}
