// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import S3
import TestSupport
import Testing

struct CredentialsTests {
    private let environment = [
        "AWS_ACCESS_KEY_ID": "EID", "AWS_SECRET_ACCESS_KEY": "ESECRET", "AWS_SESSION_TOKEN": "ETOKEN",
    ]
    private let file = """
        # keys of the gateway
        [default]
        aws_access_key_id = FID
        AWS_SECRET_ACCESS_KEY=FSECRET

        [ other ]
        aws_access_key_id=OID
        aws_secret_access_key=O=SECRET/
        aws_session_token = OTOKEN
        """

    private func source(environment: [String: String]) throws -> CredentialsSource {
        try CredentialsSource(settings: S3Settings(), environment: environment)
    }

    @Test func readsTheEnvironment() throws {
        let found = try source(environment: environment).credentials()
        #expect(found == Credentials(accessKeyID: "EID", secretAccessKey: "ESECRET", sessionToken: "ETOKEN"))
    }

    @Test func prefersAFileThatIsConfigured() throws {
        let directory = try TemporaryDirectory()
        var settings = S3Settings()
        settings.credentialsFile = try directory.file("credentials", file)
        let found = try CredentialsSource(settings: settings, environment: environment).credentials()
        #expect(found == Credentials(accessKeyID: "FID", secretAccessKey: "FSECRET"))
        settings.credentialsProfile = "other"
        let other = try CredentialsSource(settings: settings, environment: environment).credentials()
        #expect(other == Credentials(accessKeyID: "OID", secretAccessKey: "O=SECRET/", sessionToken: "OTOKEN"))
    }

    @Test func readsTheFileThatTheEnvironmentNames() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.file("credentials", file)
        let found = try CredentialsSource(
            settings: S3Settings(), environment: ["AWS_SHARED_CREDENTIALS_FILE": path]
        ).credentials()
        #expect(found.accessKeyID == "FID")
    }

    @Test func looksAgainAfterARefusal() throws {
        let directory = try TemporaryDirectory()
        var settings = S3Settings()
        settings.credentialsFile = try directory.file("credentials", file)
        let source = try CredentialsSource(settings: settings, environment: [:])
        let first = source.credentials()
        #expect(source.renewed(after: first) == nil)
        _ = try directory.file("credentials", file.replacing("FSECRET", with: "NEW"))
        #expect(source.renewed(after: first)?.secretAccessKey == "NEW")
        #expect(source.credentials().secretAccessKey == "NEW")
    }

    @Test func saysWhatIsMissing() throws {
        #expect(throws: ObjectStoreError.refused(.noCredentials)) { try source(environment: [:]) }
        #expect(throws: ObjectStoreError.refused(.noCredentials)) {
            try source(environment: ["AWS_ACCESS_KEY_ID": "EID"])
        }
        let directory = try TemporaryDirectory()
        for (text, profile) in [("", "default"), (file, "third"), ("[default]\naws_access_key_id=A", "default")] {
            var settings = S3Settings()
            settings.credentialsFile = try directory.file("credentials", text)
            settings.credentialsProfile = profile
            let error = #expect(throws: ObjectStoreError.self) {
                try CredentialsSource(settings: settings, environment: environment)
            }
            #expect(error?.description.contains(profile) == true)
        }
        var settings = S3Settings()
        settings.credentialsFile = directory.path + "/nowhere"
        #expect(throws: ObjectStoreError.self) { try CredentialsSource(settings: settings, environment: [:]) }
    }
}
