// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
@main enum A: FuzzTarget { static func run(_ input: [UInt8]) {} }
