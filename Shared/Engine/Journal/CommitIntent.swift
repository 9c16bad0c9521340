// SPDX-License-Identifier: Apache-2.0
import Wire

/// What a commit is about to publish, durable in the journal before HEAD is sent (STORAGE §3). After a crash it tells
/// whether a HEAD found in the bucket is ours.
package struct CommitIntent: Equatable, Sendable {
    package var commit: CommitID
    package var commitNumber: UInt64
    /// The image will be the journal up to here.
    package var sequence: JournalSequence
    package var packs: [PackName]

    func encoded() -> [UInt64] {
        var words = [commit.high, commit.low, commitNumber, sequence.rawValue, UInt64(packs.count)]
        for pack in packs { words += [UInt64(pack.generation) << 32 | UInt64(pack.start), UInt64(pack.number)] }
        return words
    }

    init(commit: CommitID, commitNumber: UInt64, sequence: JournalSequence, packs: [PackName]) {
        self.commit = commit
        self.commitNumber = commitNumber
        self.sequence = sequence
        self.packs = packs
    }

    package init(decoding words: [UInt64]) throws(EngineError) {
        guard words.count >= 5, UInt64(words.count - 5) == words[4].multipliedReportingOverflow(by: 2).partialValue
        else {
            throw .malformed(.journal, reason: "commit intent of \(words.count) words")
        }
        commit = CommitID(high: words[0], low: words[1])
        commitNumber = words[2]
        sequence = JournalSequence(words[3])
        packs = stride(from: 5, to: words.count, by: 2).map { index in
            PackName(
                generation: UInt32(truncatingIfNeeded: words[index] >> 32),
                start: UInt32(truncatingIfNeeded: words[index]),
                number: UInt32(truncatingIfNeeded: words[index + 1]))
        }
    }
}
