// SPDX-License-Identifier: Apache-2.0
import Glibc
import ServiceKit

/// A question before something that cannot be undone. Without a terminal the answer is no.
enum Confirmation {
    static func ask(_ question: String, _ expected: String) -> Bool {
        guard isatty(STDIN_FILENO) == 1 else { return false }
        StandardError.write(question)
        return readLine() == expected
    }
}
