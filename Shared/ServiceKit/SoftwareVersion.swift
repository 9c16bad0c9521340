// SPDX-License-Identifier: Apache-2.0

/// What `--version`, hello and metrics report. CHANGELOG.md says what each version brought.
package enum SoftwareVersion {
    package static let current = "0.1.0"
}
