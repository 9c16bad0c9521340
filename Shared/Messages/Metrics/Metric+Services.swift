// SPDX-License-Identifier: Apache-2.0

/// What uploader, snapshotter and exporter tell, and what every service tells of itself.
extension Metric {
    package static let uploaderJobsRunning = Metric(
        "uploader_jobs_running", .gauge, "Jobs of cache managers in work or waiting for a slot.")
    package static let uploaderJobs = Metric(
        "uploader_jobs_total", .counter, "Jobs answered, by how they ended.", labels: ["outcome"])
    static let uploader = [uploaderJobsRunning, uploaderJobs]

    package static let snapshots = Metric(
        "snapshots", .gauge, "Snapshots in the bucket by state.", labels: ["state"])
    static let snapshotter = [snapshots]

    // MARK: The bucket

    package static let objectStoreRequests = Metric(
        "object_store_requests_total", .counter,
        "Requests to the bucket by how they ended; errors are ambiguous, unavailable, corrupt and refused.",
        labels: ["operation", "outcome"])
    package static let objectStoreSeconds = Metric(
        "object_store_request_seconds", .histogram, "Time that a request to the bucket took, failures included.",
        labels: ["operation"], aws: "CloudDownloadLatency (operations get and range)")
    package static let objectStoreUploaded = Metric(
        "object_store_uploaded_bytes_total", .counter, "Bytes that the bucket has taken.")
    package static let objectStoreDownloaded = Metric(
        "object_store_downloaded_bytes_total", .counter, "Bytes that the bucket has given.")
    static let objectStore = [
        objectStoreRequests, objectStoreSeconds, objectStoreUploaded, objectStoreDownloaded,
    ]

    // MARK: The exporter

    package static let serviceUp = Metric("service_up", .gauge, "1 if the service answered this scrape.")
    package static let samplesLeftOut = Metric(
        "exporter_samples_left_out", .gauge,
        "Samples of this page that broke the format's rules and were left out.")
    package static let machineMemory = Metric(
        "machine_memory_bytes", .gauge, "Memory of the machine that the exporter runs on.", aws: "MemTotalBytes")
    package static let machineProcessors = Metric(
        "machine_processors", .gauge, "Processors of the machine that the exporter runs on.")
    static let exporter = [serviceUp, samplesLeftOut, machineMemory, machineProcessors]

    // MARK: Every service

    package static let buildInfo = Metric(
        "build_info", .gauge, "Constant 1; the software's version is a label.", labels: ["version"])
    package static let serviceRestarts = Metric(
        "service_restarts_total", .counter,
        "How often the service has come back under this name after an end that nobody asked for.")
    package static let serviceStartTime = Metric(
        "service_start_time_seconds", .gauge, "When the process started, seconds since 1970.")
    package static let serviceProcessorSeconds = Metric(
        "service_cpu_seconds_total", .counter, "Processor time used, user and system.", aws: "UserCpuPercent")
    package static let serviceMemory = Metric(
        "service_resident_memory_bytes", .gauge, "Memory in use.", aws: "MemUsedBytes")
    package static let serviceOpenFiles = Metric("service_open_files", .gauge, "Open file descriptors.")
    package static let busMessagesReceived = Metric(
        "bus_messages_received_total", .counter, "Messages accepted from other services.")
    package static let busMessagesSent = Metric(
        "bus_messages_sent_total", .counter, "Messages sent to other services.")
    package static let busReceivedBytes = Metric(
        "bus_received_bytes_total", .counter, "Bytes of messages accepted from other services.")
    package static let busSentBytes = Metric(
        "bus_sent_bytes_total", .counter, "Bytes of messages sent to other services.")
    package static let busRefused = Metric(
        "bus_refused_total", .counter, "Messages refused or not sent, by reason.", labels: ["reason"])
    package static let busPeerConnected = Metric(
        "bus_peer_connected", .gauge, "1 while the service at this endpoint answers.", labels: ["endpoint"])
    static let everyService = [
        buildInfo, serviceRestarts, serviceStartTime, serviceProcessorSeconds, serviceMemory, serviceOpenFiles,
        busMessagesReceived, busMessagesSent, busReceivedBytes, busSentBytes, busRefused, busPeerConnected,
    ]
}
