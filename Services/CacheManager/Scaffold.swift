// SPDX-License-Identifier: Apache-2.0
@main
struct Scaffold { static func main() {} }
