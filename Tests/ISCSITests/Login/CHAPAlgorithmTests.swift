// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing

struct CHAPAlgorithmTests {
    private struct Vector {
        var identifier: UInt8
        var secret: String
        var challenge: [UInt8]
        /// MD5, SHA-1, SHA-256 and SHA3-256 of identifier, secret and challenge, from another implementation.
        var responses: [String]
    }

    private static let vectors = [
        Vector(
            identifier: 0x27, secret: "open sesame 15!", challenge: [UInt8](0...15),
            responses: [
                "0xdadcd296e48528716ffb9d0e4248328c", "0xde31bd2e04729c170bdd6bcf36d8e0afcc2be37d",
                "0xa2393f83674fbadd110b5f8285951b08f06905d42cb8d85063f95b8f1f118b7d",
                "0x3cea3e48c1546f86e0bc470e3692cbe09284077d3aa3b27a8d76b4459e0a7ac0",
            ]),
        Vector(
            identifier: 255, secret: "0123456789ab", challenge: [UInt8](224...255).reversed(),
            responses: [
                "0x5fe22e7f1471308f5c630c42d9fdf13d", "0x97e20d84fa604c5866d3b78710779c8d71ec3721",
                "0x4730a22c74697c187b3f0fee722757c79dc2e6f0e40e776198fd62042de8112e",
                "0x6c06a7e93dc8fcf867450dd77c997390c6fc2513e6696a8d0e56e5ffd6313980",
            ]),
        Vector(
            identifier: 0, secret: "größer12345", challenge: [UInt8](repeating: 0, count: 20),
            responses: [
                "0x3fa86cf7f7e541daa27016a3ce4ff29c", "0x30894f24756e9fca452b7645c2b073a1489ed228",
                "0x3abc87c130042badf52a2cd000646a3dab391dc19ac19d18db56f8531f6cb837",
                "0x7cfa9282ab90b5940825d1b6c6d023c710f4d11e1135219db464b92465b475c2",
            ]),
    ]

    @Test func givesTheResponsesOfAnotherImplementation() {
        for vector in Self.vectors {
            for (algorithm, expected) in zip(CHAPAlgorithm.allCases, vector.responses) {
                let response = algorithm.response(
                    identifier: vector.identifier, secret: CHAPSecret(vector.secret), challenge: vector.challenge)
                #expect(CHAPValue.encode(response) == expected, "\(algorithm)")
                #expect(response.count == algorithm.digestByteCount)
            }
        }
    }

    @Test func takesTheFirstOfTheListThatIsAllowed() {
        let all = Set(CHAPAlgorithm.allCases)
        let table: [(String, Set<CHAPAlgorithm>, CHAPAlgorithm?)] = [
            ("8,7,6,5", all, .sha3), ("5,6,7,8", all, .md5), ("5", all, .md5), ("7,5", all, .sha256),
            ("8,7,6,5", [.md5], .md5), ("5,6,7,8", CHAPAlgorithm.atLeast(.sha256), .sha256),
            ("5,6", CHAPAlgorithm.atLeast(.sha256), nil), ("9,300,5", all, .md5), ("0x5", all, .md5),
            ("56", all, nil), ("56,78", all, nil), ("", all, nil), (",", all, nil), ("5 ", all, nil), ("-5", all, nil),
            ("261", all, nil), ("4294967301", all, nil), ("MD5", all, nil), ("5", [], nil),
        ]
        for (list, allowed, expected) in table {
            #expect(CHAPAlgorithm.choose(from: list, allowed: allowed) == expected, "\(list)")
        }
        #expect(CHAPAlgorithm.atLeast(.md5) == all)
        #expect(CHAPAlgorithm.atLeast(.sha3) == [.sha3])
    }

    @Test func challengesAreAsLongAsTheDigest() {
        #expect(CHAPAlgorithm.allCases.map(\.challengeByteCount) == [16, 20, 32, 32])
    }
}
