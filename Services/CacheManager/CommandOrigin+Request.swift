// SPDX-License-Identifier: Apache-2.0
import Engine
import SCSI

extension CommandOrigin {
    /// The request that the command came in.
    var request: RequestOrigin { RequestOrigin(frontend: frontend, number: number) }
}
