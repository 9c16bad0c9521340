// SPDX-License-Identifier: Apache-2.0

/// Where the read cache is and how large: as the configuration says, or what was set while running, with the
/// configuration that it was set in place of. It holds for as long as the configuration says the same as then.
package struct CacheSettings: Equatable, Sendable, Codable {
    package var formatVersion: Int
    package var directories: [String]
    /// Of all directories together.
    package var byteCount: UInt64
    package var configuredDirectories: [String]
    package var configuredByteCount: UInt64

    package init(
        formatVersion: Int = CacheSettingsFormat.version, directories: [String], byteCount: UInt64,
        configuredDirectories: [String], configuredByteCount: UInt64
    ) {
        self.formatVersion = formatVersion
        self.directories = directories
        self.byteCount = byteCount
        self.configuredDirectories = configuredDirectories
        self.configuredByteCount = configuredByteCount
    }

    /// As the configuration says.
    package init(configured directories: [String], byteCount: UInt64) {
        self.init(
            directories: directories, byteCount: byteCount, configuredDirectories: directories,
            configuredByteCount: byteCount)
    }

    package var isConfigured: Bool { directories == configuredDirectories && byteCount == configuredByteCount }

    /// Whether they were set in place of just this configuration.
    package func apply(to configured: CacheSettings) -> Bool {
        configuredDirectories == configured.configuredDirectories
            && configuredByteCount == configured.configuredByteCount
    }
}

/// `state/slots/<n>/cache.json`: `RecordFormat` of a `CacheSettings`. Version history: 1, first.
package enum CacheSettingsFormat {
    package static let version = 1
    package static let byteLimit = 256 << 10
    private static let format = RecordFormat(name: .cacheSettings, newestVersion: version, byteLimit: byteLimit)

    package static func encode(_ settings: CacheSettings) throws(EngineError) -> [UInt8] {
        try format.encode(settings)
    }
    package static func decode(_ bytes: [UInt8]) throws(EngineError) -> CacheSettings {
        try format.decode(from: bytes)
    }
}
