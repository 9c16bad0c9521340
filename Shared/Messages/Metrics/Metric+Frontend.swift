// SPDX-License-Identifier: Apache-2.0

/// What an iSCSI frontend tells of itself and of the initiators.
extension Metric {
    private static func gauge(_ name: String, _ help: String) -> Metric { Metric("iscsi_" + name, .gauge, help) }
    private static func counter(_ name: String, _ help: String, labels: [String] = []) -> Metric {
        Metric("iscsi_" + name, .counter, help, labels: labels)
    }

    package static let commandSeconds = Metric(
        "iscsi_command_seconds", .histogram,
        "Time from the receipt of a command to its answer being queued for the initiator.",
        labels: ["volume", "name", "operation"])
    package static let iscsiLane = Metric(
        "iscsi_lane", .gauge, "1 while this lane carries I/O to the cache manager, 0 while it is not connected.",
        labels: ["lane"])
    package static let iscsiSessions = gauge("sessions", "Sessions, discovery included.")
    package static let iscsiConnections = gauge("connections", "TCP connections.")
    package static let iscsiTargets = gauge("targets", "Targets that initiators may log in to.")
    package static let commandsOpen = gauge("commands_open", "Requests the cache manager has not answered.")
    package static let commandsHeld = gauge(
        "commands_held", "Requests that wait for a cache manager that is away.")
    package static let commandsResent = counter("commands_resent_total", "Requests sent again.")
    package static let commandsExpired = counter(
        "commands_expired_total", "Requests given up because no answer came in time.")
    package static let writeBufferUsed = gauge("write_buffer_used_bytes", "Memory that data of writes takes.")
    package static let readBytesInFlight = gauge(
        "read_bytes_in_flight", "Data of reads asked for and not sent yet.")
    package static let logins = counter("logins_total", "Logins that led to a session.")
    package static let loginsFailed = counter(
        "logins_failed_total",
        "Logins that were refused, by iSCSI status class and detail (0000: closed without an answer).",
        labels: ["status"])
    package static let rejectedPDUs = counter("rejected_pdus_total", "PDUs that were refused.")
    package static let connectionsAccepted = counter("connections_accepted_total", "TCP connections accepted.")
    package static let connectionsRefused = counter(
        "connections_refused_total", "TCP connections closed because of a limit.")
    package static let connectionsClosed = counter(
        "connections_closed_total", "TCP connections that ended, by reason.", labels: ["reason"])
    package static let taskManagement = counter(
        "task_management_total", "Task management functions carried out.")

    static let frontend = [
        commandSeconds, iscsiLane, iscsiSessions, iscsiConnections, iscsiTargets, commandsOpen, commandsHeld,
        commandsResent, commandsExpired, writeBufferUsed, readBytesInFlight, logins, loginsFailed, rejectedPDUs,
        connectionsAccepted, connectionsRefused, connectionsClosed, taskManagement,
    ]

    // MARK: Initiators

    private static let ofInitiator = ["initiator", "volume", "name"]

    package static let initiatorSessions = Metric(
        "initiator_sessions", .gauge, "Sessions of an initiator with a volume.", labels: ofInitiator)
    package static let initiatorReadBytes = Metric(
        "initiator_read_bytes_total", .counter, "Bytes that an initiator was given.", labels: ofInitiator)
    package static let initiatorWriteBytes = Metric(
        "initiator_write_bytes_total", .counter, "Bytes that an initiator wrote with WRITE commands.",
        labels: ofInitiator)
    package static let initiatorCommands = Metric(
        "initiator_commands_total", .counter, "Commands of an initiator that went to the volume, good or not.",
        labels: ofInitiator + ["operation"])
    package static let initiatorCommandSeconds = Metric(
        "initiator_command_seconds_total", .counter,
        "Time of these commands together, from their receipt to their answers being queued for the initiator.",
        labels: ofInitiator + ["operation"])

    static let initiators = [
        initiatorSessions, initiatorReadBytes, initiatorWriteBytes, initiatorCommands, initiatorCommandSeconds,
    ]
}
