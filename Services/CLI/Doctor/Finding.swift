// SPDX-License-Identifier: Apache-2.0

/// One thing that is not as it should be, with what it means and what to do.
package struct Finding: Equatable, Sendable, Encodable {
    package enum Severity: String, Sendable, Encodable, CaseIterable {
        /// Something does not work now.
        case problem
        /// It works, and will not go on to.
        case warning
    }

    /// Whose job it is to mend it; chooses the exit status.
    package enum Area: String, Sendable, Encodable { case configuration, service, volume, storage }

    package var severity: Severity
    package var area: Area
    /// `volume db`, `cache-0`.
    package var subject: String
    package var what: String
    /// Empty if there is nothing that a person could do.
    package var advice: String

    package init(_ severity: Severity, _ area: Area, _ subject: String, _ what: String, advice: String = "") {
        self.severity = severity
        self.area = area
        self.subject = subject
        self.what = what
        self.advice = advice
    }

    var text: String {
        "\(severity == .problem ? "PROBLEM" : "warning") \(subject): \(what)\n"
            + (advice.isEmpty ? "" : "        \(advice)\n")
    }
}
