// SPDX-License-Identifier: Apache-2.0

/// Why the proxy cannot be started or cannot take a plan. What happens to single requests is counted, not thrown.
package enum FaultProxyError: Error, Equatable, CustomStringConvertible {
    case plan(line: Int, String)
    case upstream(String)
    case listen(port: UInt16, errno: Int32)

    package var description: String {
        switch self {
        case .plan(let line, let reason): "line \(line) of the plan: \(reason)"
        case .upstream(let text): "\(text) is not an address such as http://127.0.0.1:8333"
        case .listen(let port, let errno): "port \(port) on loopback cannot be had (errno \(errno))"
        }
    }
}
