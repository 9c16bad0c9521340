// SPDX-License-Identifier: Apache-2.0
import Engine
import Wire

/// What the bucket alone holds, read by the production reader that `sluice export` uses.
extension Simulation {
    func checkBucketImage(_ head: Head, _ gateway: SimulatedGateway) throws(Violation) {
    }

    func checkRetained(_ root: RetainedHead) throws(Violation) {
    }
}
