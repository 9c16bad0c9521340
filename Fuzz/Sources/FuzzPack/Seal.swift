// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
import Wire

/// Makes the checksums of a format right, wherever its other fields say that they are.
enum Seal {
    static func frame(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count > 40 else { return bytes }
        var bytes = bytes
        let count = Int(bytes[6])
        let indexByteCount = bytes[7] & 1 == 1 ? 8 : 8 * count
        let payloadStart = 40 + indexByteCount + 4 * count
        let length = Int(bytes.littleEndian(28) ?? 0)
        if bytes[5] == 0 {
            for block in 0..<count where payloadStart + 4096 * (block + 1) <= bytes.count {
                let start = payloadStart + 4096 * block
                bytes.setLittleEndian(bytes.checksum(start..<start + 4096), at: 40 + indexByteCount + 4 * block)
            }
        }
        bytes.setLittleEndian(bytes.checksum(payloadStart..<payloadStart + length), at: 32)
        bytes.setLittleEndian(bytes.checksum(0..<36, 40..<max(40, payloadStart)), at: 36)
        return bytes
    }

    static func directory(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= 48 else { return bytes }
        var bytes = bytes
        bytes.setLittleEndian(UInt32(bytes.count - 48), at: 36)
        return bytes.sealed(40, 48..<bytes.count).sealed(44, 0..<44)
    }

    static func pack(_ bytes: [UInt8]) -> [UInt8] {
        let footer = bytes.count - 64
        guard footer > 0 else { return bytes }
        let start = Int(bytes.littleEndian(footer + 48) ?? 0)
        let end = start + Int(bytes.littleEndian(footer + 52) ?? 0)
        guard start <= end, end <= footer else { return bytes.sealed(footer + 60, footer..<footer + 60) }
        var frames: [UInt8] = []
        var directory = Array(bytes[start..<end])
        // The first frame; the others are only as good as the input.
        if let length = directory.littleEndian(52), length > 40, Int(length) <= start {
            frames = frame(Array(bytes[..<Int(length)]))
            directory.setLittleEndian(CRC32C.checksum(frames), at: 56)
        }
        let rest = bytes[frames.count..<start]
        return (frames + rest + self.directory(directory) + bytes[end...])
            .sealed(footer + 56, start..<end).sealed(footer + 60, footer..<footer + 60)
    }

    static func mapNode(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= 64 else { return bytes }
        var bytes = bytes
        bytes.setLittleEndian(UInt32(bytes.count - 64), at: 52)
        return bytes.sealed(56, 64..<bytes.count).sealed(60, 0..<60)
    }

    static func mapPack(_ bytes: [UInt8]) -> [UInt8] {
        let footer = bytes.count - 64
        guard footer >= 0 else { return bytes }
        var bytes = bytes
        var start = 0
        while start + 64 <= footer, let length = bytes.littleEndian(start + 52), start + 64 + Int(length) <= footer {
            let end = start + 64 + Int(length)
            bytes.replaceSubrange(start..<end, with: mapNode(Array(bytes[start..<end])))
            start = end
        }
        bytes.setLittleEndian(UInt64(footer), at: footer + 40)
        return bytes.sealed(footer + 48, 0..<footer).sealed(footer + 60, footer..<footer + 60)
    }

    static func frameContents(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let count = Int((bytes.littleEndian(0) ?? 0) & 0x1f)
        let start = 8 + 12 * count
        for block in 0..<count {
            let first = start + 4096 * block
            bytes.setLittleEndian(bytes.checksum(first..<first + 4096), at: 8 + 8 * count + 4 * block)
        }
        return bytes
    }

    static func cacheTail(_ bytes: [UInt8]) -> [UInt8] {
        let trailer = bytes.count - 64
        guard trailer >= 0 else { return bytes }
        let count = min(trailer / 16, Int(bytes.littleEndian(trailer + 16) ?? 0))
        return bytes.sealed(trailer + 20, trailer - 16 * count..<trailer).sealed(trailer + 60, trailer..<trailer + 60)
    }

    static func cachedFrame(_ bytes: [UInt8], at start: Int) -> [UInt8] {
        let length = Int((bytes.littleEndian(start + 40) ?? 0) & 0xffff)
        let payload = start + 64..<start + 64 + length
        var bytes = bytes
        if payload.upperBound <= bytes.count {
            let contents = frameContents(Array(bytes[payload]))
            bytes.replaceSubrange(payload, with: contents)
        }
        return bytes.sealed(start + 44, payload).sealed(start + 60, start..<start + 60)
    }

    /// The eight digits of a JSON record's checksum.
    static func record(_ bytes: [UInt8]) -> [UInt8] {
        let label = Array("\"recordCRC32C\" : \"".utf8)
        guard let found = bytes.firstRange(of: label), found.upperBound + 8 <= bytes.count else { return bytes }
        var bytes = bytes
        let digits = found.upperBound..<found.upperBound + 8
        bytes.replaceSubrange(digits, with: Array("00000000".utf8))
        bytes.replaceSubrange(digits, with: hexadecimal(UInt64(CRC32C.checksum(bytes)), digits: 8).utf8)
        return bytes
    }
}

extension [UInt8] {
    /// With the checksum of a range at an offset.
    func sealed(_ byteOffset: Int, _ range: Range<Int>) -> [UInt8] {
        var bytes = self
        bytes.setLittleEndian(checksum(range), at: byteOffset)
        return bytes
    }
}
