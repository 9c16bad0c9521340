// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing

struct CHAPCredentialsTests {
    private func error(
        user: String? = nil, _ secret: String, mutual: CHAPCredentials.Mutual? = nil,
        policy: CHAPSecretPolicy = .standard
    ) -> CHAPCredentialsError? {
        do throws(CHAPCredentialsError) {
            _ = try CHAPCredentials(userName: user, secret: CHAPSecret(secret), mutual: mutual, policy: policy)
            return nil
        } catch {
            return error
        }
    }

    private func secret(_ count: Int) -> String { String(repeating: "s", count: count) }

    @Test func takesSecretsOf12To16BytesUnlessToldOtherwise() {
        for count in 0..<70 {
            let standard: CHAPCredentialsError? =
                count < 12
                ? .secretTooShort(byteCount: count, minimum: 12)
                : count > 16 ? .secretTooLong(byteCount: count, maximum: 16) : nil
            #expect(error(secret(count)) == standard)
            #expect((error(secret(count), policy: .extended) == nil) == (12...64).contains(count))
        }
        // Bytes count, not characters.
        #expect(error("ééééééé") == nil)
    }

    @Test func boundsWhatAPolicyMayAllow() {
        #expect(CHAPSecretPolicy(minimumByteCount: 1, maximumByteCount: 1000) == .extended)
        let narrow = CHAPSecretPolicy(minimumByteCount: 20, maximumByteCount: 5)
        #expect(narrow.minimumByteCount == 20 && narrow.maximumByteCount == 20)
    }

    @Test func refusesOneSecretInBothDirections() throws {
        let same = CHAPCredentials.Mutual(secret: CHAPSecret(secret(12)))
        #expect(error(secret(12), mutual: same) == .secretsAreEqual)
        #expect(error(secret(13), mutual: same) == nil)
        let short = CHAPCredentials.Mutual(secret: CHAPSecret("short"))
        #expect(error(secret(13), mutual: short) == .secretTooShort(byteCount: 5, minimum: 12))

        let one = try CHAPCredentials(secret: CHAPSecret(secret(12)), mutual: .init(secret: CHAPSecret(secret(13))))
        let other = try CHAPCredentials(secret: CHAPSecret(secret(13)))
        #expect(throws: CHAPCredentialsError.secretsAreEqual) {
            try CHAPCredentials.checkDirections(of: [one, other])
        }
        try CHAPCredentials.checkDirections(of: [one, one])
    }

    @Test func refusesUserNamesThatCannotBeSent() {
        #expect(error(user: "", secret(12)) == .userNameLength(byteCount: 0, maximum: 255))
        let long = String(repeating: "u", count: 256)
        #expect(error(user: long, secret(12)) == .userNameLength(byteCount: 256, maximum: 255))
        #expect(error(user: "a\u{0}", secret(12)) == .userNameUnprintable)
        #expect(error(user: "0x6162", secret(12)) == nil)
        let mutual = CHAPCredentials.Mutual(userName: "\n", secret: CHAPSecret(secret(13)))
        #expect(error(secret(12), mutual: mutual) == .userNameUnprintable)
    }

    @Test func neverPrintsASecret() throws {
        let text = "hunter2hunter2"
        let credentials = try CHAPCredentials(
            userName: "host", secret: CHAPSecret(text), mutual: .init(secret: CHAPSecret("swordfish-word")))
        var dumped = ""
        dump(credentials, to: &dumped)
        dump(LoginAccess.chap([credentials]), to: &dumped)
        let printed = ["\(credentials)", String(reflecting: credentials), dumped, "\(credentials.secret)"]
        for output in printed {
            #expect(!output.contains("hunter") && !output.contains("sword"))
            #expect(!output.contains("104") && !output.contains("115"), "nor as numbers")
        }
        #expect("\(credentials.secret)" == "(hidden)")
        for error in [
            CHAPCredentialsError.secretTooShort(byteCount: 3, minimum: 12), .secretsAreEqual, .userNameUnprintable,
            .secretTooLong(byteCount: 17, maximum: 16), .userNameLength(byteCount: 0, maximum: 255),
        ] {
            #expect(error.description.contains("CHAP") || error == .secretsAreEqual)
        }
    }
}
