// SPDX-License-Identifier: Apache-2.0
package import Logging
package import ObjectStorage

/// The settings of one gateway; every service reads the same ones. Defaults are the fields' initial values; the
/// meaning, range and name of each key stand in `keys` and nowhere else.
package struct GatewayConfiguration: Equatable, Sendable {
    package static let defaultPath = "/etc/sluice/gateway.yaml"

    package var stateDirectory = DirectoryPath("/var/lib/sluice/state")
    package var runDirectory = DirectoryPath("/run/sluice")
    package var journalDirectories = [DirectoryPath("/var/lib/sluice/journal")]
    package var journalSize = ByteSize.gibibytes(16)
    package var journalSegmentSize = ByteSize.mebibytes(32)
    package var journalVolumeBuffer = ByteSize.gibibytes(2)
    package var cacheDirectories = [DirectoryPath("/var/lib/sluice/cache")]
    package var cacheSize = ByteSize.gibibytes(16)
    package var cacheUploadMemory = ByteSize.mebibytes(128)
    package var cacheIndexMemory = ByteSize.mebibytes(64)
    package var cacheMemory = ByteSize.mebibytes(256)
    /// Empty until configured, because no default place would be right.
    package var bucketURL = ""
    package var bucketPrefix = ""
    package var bucketEndpoint = BucketEndpoint()
    package var bucketRegion = S3Settings.defaultRegion
    package var bucketAddressing = S3Settings.Addressing.automatic
    package var bucketCredentialsFile = FilePath()
    package var bucketCredentialsProfile = S3Settings.defaultProfile
    package var bucketAuthorityFile = FilePath()
    package var iscsiListen = [ListenAddress(host: "0.0.0.0", port: 3260)]
    /// Empty: initiators are told the address that they have reached themselves.
    package var iscsiAdvertise: [ListenAddress] = []
    package var iscsiTargetPrefix = "iqn.2026-11.io.sluice"
    package var iscsiCommandHold = Duration.seconds(20)
    package var iscsiWriteMemory = ByteSize.mebibytes(256)
    package var iscsiReadMemory = ByteSize.mebibytes(256)
    /// Without: every initiator may use every volume.
    package var iscsiAccessFile = FilePath()
    package var iscsiHeaderDigest = DigestUse.accepted
    package var iscsiDataDigest = DigestUse.accepted
    package var iscsiInitialR2T = false
    package var iscsiImmediateData = true
    package var iscsiMaxBurst = ByteSize.mebibytes(1)
    package var iscsiFirstBurst = ByteSize(byteCount: 256 << 10)
    package var iscsiSegment = ByteSize(byteCount: 256 << 10)
    package var commitInterval = Duration.seconds(10)
    package var uploaderWriteSlots = 4
    package var uploaderReadSlots = 16
    package var exporterListen = ListenAddress(host: "127.0.0.1", port: 9404)
    package var busListen = BusListenAddress()
    /// Empty: the run directory shows the services.
    package var busServices: [ServicePlace] = []
    package var busKeysDirectory = DirectoryPath("/etc/sluice/keys")
    package var logLevel = Logger.Level.info
    package var logFormat = LogFormat.text

    package init() {}

    package static let smallestCacheDirectory = ByteSize.mebibytes(128)
    package static let largestCache = ByteSize.tebibytes(8)
    /// RFC 7143 §13 has 512 bytes to 16 MiB - 1; what has to be held for one PDU is kept smaller.
    private static let segmentRange = ByteSize(byteCount: 512)...ByteSize.mebibytes(8)

    package static let keys: [ConfigurationKey] = [
        .value(
            "state.directory", \.stateDirectory, "The gateway's identity and its list of volumes. Keep it."),
        .value(
            "run.directory", \.runDirectory, check: checkSocketPath, rangeText: "at most 80 bytes",
            "Sockets, locks and pid files. Made at start if missing; may be lost at any time."),
        .list(
            "journal.directories", \.journalDirectories,
            "Where acknowledged writes wait until the bucket has them. Use disks that keep what fdatasync wrote."),
        .value(
            "journal.size", \.journalSize, in: .mebibytes(128)...(.tebibytes(64)),
            "Upload buffer of all volumes together."),
        .value(
            "journal.segment_size", \.journalSegmentSize, check: checkSegmentSize,
            rangeText: "32MiB or 64MiB",
            "Size of one journal file of volumes made or attached from now on."),
        .value(
            "journal.volume_buffer", \.journalVolumeBuffer, in: .mebibytes(128)...(.gibibytes(256)),
            "Upload buffer of a volume that was created without one of its own; "
                + "at least four times journal.segment_size."),
        .list(
            "cache.directories", \.cacheDirectories,
            "Where blocks that were read are kept. May be lost at any time; fast disks are worth it."),
        .value(
            "cache.size", \.cacheSize, in: smallestCacheDirectory...largestCache,
            "Space of the read cache, shared evenly by its directories; at least 128MiB for each."),
        .value(
            "cache.index_memory", \.cacheIndexMemory, in: .mebibytes(1)...(.gibibytes(64)),
            "Memory for the read cache's index, 20 bytes a frame of 4 KiB to 64 KiB; bounds what of cache.size is used."
        ),
        .value(
            "cache.memory", \.cacheMemory, in: .mebibytes(16)...(.tebibytes(1)),
            "Memory for map nodes and blocks that were read."),
        .value(
            "cache.upload_memory", \.cacheUploadMemory, in: .mebibytes(16)...(.gibibytes(64)),
            "Memory for packs of 16MiB on their way to uploaders, of all volumes; what does not fit waits."),
        .value(
            "bucket.url", \.bucketURL, check: checkBucketURL, rangeText: "s3://bucket or file:///path",
            "Where the data lives: a bucket or a directory, which must exist. Required."),
        .value(
            "bucket.prefix", \.bucketPrefix, check: checkPrefix, rangeText: "names of A-Z a-z 0-9 . _ - joined by /",
            "Where in the bucket this gateway's objects start, so that several can share one."),
        .value(
            "bucket.endpoint", \.bucketEndpoint,
            "The S3 store, such as https://s3.example.org:9000. Without it AWS in bucket.region."),
        .value("bucket.region", \.bucketRegion, check: checkRegion, "Region for which requests are signed."),
        .value(
            "bucket.addressing", \.bucketAddressing,
            "Where the bucket's name stands in a request; automatic: path with an endpoint, else virtual-host."),
        .value(
            "bucket.credentials_file", \.bucketCredentialsFile,
            "Access key as the AWS tools keep it; read again when the store refuses it. Without it the environment: "
                + "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, or AWS_SHARED_CREDENTIALS_FILE."),
        .value("bucket.credentials_profile", \.bucketCredentialsProfile, "Section of the credentials file."),
        .value(
            "bucket.authority_file", \.bucketAuthorityFile,
            "PEM certificates of further authorities that may vouch for the store."),
        .list("iscsi.listen", \.iscsiListen, "Addresses that iSCSI initiators connect to."),
        .list(
            "iscsi.advertise", \.iscsiAdvertise, mayBeEmpty: true, check: checkAdvertised,
            "Portals of all frontends that discovery names, where initiators do not reach iscsi.listen itself: behind "
                + "NAT or published ports. Without it the address that the initiator has reached."),
        .value(
            "iscsi.target_prefix", \.iscsiTargetPrefix, check: checkTargetPrefix, rangeText: "iqn.YYYY-MM.domain",
            "A volume's target is named <prefix>:<volume name>."),
        .value(
            "iscsi.command_hold", \.iscsiCommandHold, in: .seconds(1)...(.seconds(600)),
            "How long commands wait for a cache manager that is away. Keep it below the initiators' timeout."),
        .value(
            "iscsi.write_memory", \.iscsiWriteMemory, in: .mebibytes(16)...(.gibibytes(64)),
            "Memory for data of writes on their way from initiators; what does not fit waits, a single command that "
                + "never fits is refused."),
        .value(
            "iscsi.read_memory", \.iscsiReadMemory, in: .mebibytes(16)...(.gibibytes(64)),
            "Memory for data of reads on their way to initiators; what does not fit waits, a single command that "
                + "never fits is refused."),
        .value(
            "iscsi.access_file", \.iscsiAccessFile,
            "Who may log in to which volume, from where, with which CHAP secret; read again when it changes. "
                + "Without it every initiator may use every volume."),
        .value("iscsi.header_digest", \.iscsiHeaderDigest, "CRC32C over the headers of iSCSI PDUs."),
        .value("iscsi.data_digest", \.iscsiDataDigest, "CRC32C over their data."),
        .value(
            "iscsi.initial_r2t", \.iscsiInitialR2T,
            "true: initiators send data of writes only when asked. Costs a round trip; for tests of initiators."),
        .value("iscsi.immediate_data", \.iscsiImmediateData, "Whether data of writes may come with the command."),
        .value(
            "iscsi.max_burst", \.iscsiMaxBurst, in: segmentRange,
            "MaxBurstLength: the most data that initiators are asked for at once."),
        .value(
            "iscsi.first_burst", \.iscsiFirstBurst, in: segmentRange,
            "FirstBurstLength: the most that they send unasked; at most iscsi.max_burst."),
        .value(
            "iscsi.max_segment", \.iscsiSegment, in: segmentRange,
            "MaxRecvDataSegmentLength: the most data in one PDU from an initiator."),
        .value(
            "commit.interval", \.commitInterval, check: checkCommitInterval, rangeText: "2s … 5m, whole seconds",
            "How often a volume with dirty data is committed, if it was created without an interval of its own."),
        .value("uploader.write_slots", \.uploaderWriteSlots, in: 1...64, "Uploads that one uploader runs at once."),
        .value("uploader.read_slots", \.uploaderReadSlots, in: 1...64, "Downloads that one uploader runs at once."),
        .value("exporter.listen", \.exporterListen, "Where /metrics and /health are served over HTTP."),
        .value(
            "bus.listen", \.busListen,
            "Where this service listens for services of other machines or containers, encrypted, by keys; a cache "
                + "manager also takes the next port. Without it only the Unix sockets in run.directory."),
        .list(
            "bus.services", \.busServices, mayBeEmpty: true,
            "Where the gateway's services are when they are not all on one machine: cache=cache:7401, all addresses "
                + "of the name, looked up again and again. Without it those of run.directory."),
        .value(
            "bus.keys_directory", \.busKeysDirectory,
            "This service's secret key and the public keys of all kinds; `sluice keys create` makes them."),
        .value("log.level", \.logLevel, "The least important events that are logged."),
        .value("log.format", \.logFormat, "Log lines for people or for programs, on standard error."),
    ]

    /// The bucket that the settings name; it need not exist.
    package func bucket() throws(ConfigurationError) -> BucketSettings {
        guard !bucketURL.isEmpty else {
            throw ConfigurationError(
                place: "", key: "bucket.url",
                reason: "is not set; give the bucket as s3://bucket or file:///path/of/a/directory")
        }
        do {
            return BucketSettings(url: try BucketURL(bucketURL, prefix: bucketPrefix), s3: s3Settings)
        } catch {
            throw ConfigurationError(place: "", key: "bucket.url", reason: error.description)
        }
    }

    package static func key(named name: String) -> ConfigurationKey? { keys.first { $0.name == name } }
}

// Checks that a range cannot express.
extension GatewayConfiguration {
    /// A Unix socket's path has 107 bytes; the names below the run directory need up to 26.
    @Sendable private static func checkSocketPath(_ path: DirectoryPath) throws(ValueRefusal) {
        guard path.path.utf8.count <= 80 else {
            throw ValueRefusal(
                "\(path) is \(path.path.utf8.count) bytes long; sockets in it need a path of at most 80 bytes")
        }
    }

    /// A segment has to hold the largest command, 16 MiB, and one that is much larger only takes longer to make.
    @Sendable private static func checkSegmentSize(_ size: ByteSize) throws(ValueRefusal) {
        guard size == .mebibytes(32) || size == .mebibytes(64) else {
            throw ValueRefusal("\(size.configurationText) is neither 32MiB nor 64MiB")
        }
    }

    @Sendable private static func checkCommitInterval(_ interval: Duration) throws(ValueRefusal) {
        guard interval >= .seconds(2), interval <= .seconds(300), interval.wholeMilliseconds % 1000 == 0 else {
            throw ValueRefusal("\(interval.configurationText) is not a whole number of seconds between 2s and 5m")
        }
    }

    @Sendable private static func checkBucketURL(_ text: String) throws(ValueRefusal) {
        do { _ = try BucketURL(text) } catch { throw ValueRefusal(error.description) }
    }

    /// It stands in a host name and in the signature's scope.
    @Sendable private static func checkRegion(_ region: String) throws(ValueRefusal) {
        guard region.wholeMatch(of: /[A-Za-z0-9-]{1,64}/) != nil else {
            throw ValueRefusal("“\(region)” is not a region, such as eu-central-1")
        }
    }

    @Sendable private static func checkPrefix(_ prefix: String) throws(ValueRefusal) {
        do { _ = try BucketURL("file:///", prefix: prefix) } catch { throw ValueRefusal(error.description) }
    }

    @Sendable private static func checkAdvertised(_ portal: ListenAddress) throws(ValueRefusal) {
        guard portal.host != "0.0.0.0", portal.host != "::", portal.port != 0 else {
            throw ValueRefusal("“\(portal)” is no address that an initiator could connect to")
        }
    }

    /// RFC 3720 §3.2.6.3.1: iqn, a year and month, a reversed domain. A volume's name of up to 63 characters follows
    /// a colon, and the whole has at most 223 bytes.
    @Sendable private static func checkTargetPrefix(_ prefix: String) throws(ValueRefusal) {
        guard prefix.wholeMatch(of: /iqn\.[0-9]{4}-(0[1-9]|1[0-2])\.[a-z0-9.:-]+/) != nil, prefix.utf8.count <= 150
        else {
            throw ValueRefusal("“\(prefix)” is not like iqn.2026-11.com.example (lower case, at most 150 characters)")
        }
    }
}
