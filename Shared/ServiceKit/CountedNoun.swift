// SPDX-License-Identifier: Apache-2.0

extension Int {
    /// `1 volume`, `2 volumes`, for people.
    package func counted(_ noun: String) -> String { "\(self) \(noun)\(self == 1 ? "" : "s")" }
}
