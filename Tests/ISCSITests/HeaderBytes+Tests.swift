// SPDX-License-Identifier: Apache-2.0
import Wire

func header(_ bytes: [UInt8]) -> HeaderBytes { HeaderBytes { bytes[$0] } }
func bytes(of header: HeaderBytes) -> [UInt8] { (0..<48).map { header[$0] } }
