// SPDX-License-Identifier: Apache-2.0
import Wire

/// What of HEAD can be changed while the volume serves.
package struct HeadSettings: Hashable, Sendable {
    package var name: String
    package var targetName: String
    package var byteCount: UInt64
    package var durability: String
    package var compressionLevel: Int
    package var commitIntervalSeconds: Int
    package var isReadOnly: Bool
    package var isSanitizeAllowed: Bool
}

extension Head {
    package var settings: HeadSettings {
        get {
            HeadSettings(
                name: name, targetName: targetName, byteCount: byteCount, durability: durability,
                compressionLevel: compressionLevel, commitIntervalSeconds: commitIntervalSeconds,
                isReadOnly: readOnly ?? false, isSanitizeAllowed: sanitizeAllowed ?? false)
        }
        set {
            name = newValue.name
            targetName = newValue.targetName
            byteCount = newValue.byteCount
            durability = newValue.durability
            compressionLevel = newValue.compressionLevel
            commitIntervalSeconds = newValue.commitIntervalSeconds
            // A HEAD that never had them stays as it was.
            readOnly = newValue.isReadOnly ? true : nil
            sanitizeAllowed = newValue.isSanitizeAllowed ? true : nil
        }
    }
}

/// What is to become of a volume's settings; nil: as they are.
package struct HeadChange: Hashable, Sendable {
    package var name: String?
    package var targetName: String?
    package var byteCount: UInt64?
    package var durability: String?
    package var compressionLevel: Int?
    package var commitIntervalSeconds: Int?
    package var isReadOnly: Bool?
    package var isSanitizeAllowed: Bool?
    package init(
        name: String? = nil, targetName: String? = nil, byteCount: UInt64? = nil, durability: String? = nil,
        compressionLevel: Int? = nil, commitIntervalSeconds: Int? = nil, isReadOnly: Bool? = nil,
        isSanitizeAllowed: Bool? = nil
    ) {
        self.name = name
        self.targetName = targetName
        self.byteCount = byteCount
        self.durability = durability
        self.compressionLevel = compressionLevel
        self.commitIntervalSeconds = commitIntervalSeconds
        self.isReadOnly = isReadOnly
        self.isSanitizeAllowed = isSanitizeAllowed
    }

    /// What HEAD allows: the same for whoever changes it.
    package static let longestNameByteCount = 223
    package static let commitIntervals = 2...300

    /// - Parameter growthUnit: of what a new size has to be a multiple.
    /// - Returns: the settings with the change, or why there cannot be such.
    func applied(to settings: HeadSettings, growthUnit: UInt64) -> Result<HeadSettings, VolumeFailure> {
        func invalid(_ reason: String) -> Result<HeadSettings, VolumeFailure> { .failure(.invalidChange(reason)) }
        var new = settings
        for text in [name, targetName].compactMap({ $0 })
        where text.isEmpty || text.utf8.count > Self.longestNameByteCount {
            return invalid("a name has 1 to \(Self.longestNameByteCount) bytes")
        }
        if let name { new.name = name }
        if let targetName { new.targetName = targetName }
        if let byteCount {
            guard byteCount >= settings.byteCount else { return invalid("a volume does not shrink") }
            guard byteCount == settings.byteCount || byteCount.isMultiple(of: growthUnit) else {
                return invalid("a volume's size is a multiple of \(growthUnit) bytes")
            }
            guard byteCount <= Geometry.largestVolumeByteCount else {
                return invalid("a volume has at most \(Geometry.largestVolumeByteCount) bytes")
            }
            new.byteCount = byteCount
        }
        if let durability {
            guard durability == "onFlush" || durability == "always" else {
                return invalid("durability is onFlush or always")
            }
            new.durability = durability
        }
        if let compressionLevel {
            guard (0...9).contains(compressionLevel) else { return invalid("compression levels are 0 to 9") }
            new.compressionLevel = compressionLevel
        }
        if let commitIntervalSeconds {
            guard Self.commitIntervals.contains(commitIntervalSeconds) else {
                return invalid("commits are 2 to 300 seconds apart")
            }
            new.commitIntervalSeconds = commitIntervalSeconds
        }
        if let isReadOnly { new.isReadOnly = isReadOnly }
        if let isSanitizeAllowed { new.isSanitizeAllowed = isSanitizeAllowed }
        return .success(new)
    }
}
