// SPDX-License-Identifier: Apache-2.0
import GatewayHarness

/// One signed request, made by `Scripts/signed-call.py`: fixtures must not depend on the client under test.
struct SignedCall {
    struct Answer {
        var status: Int
        var body: String
    }

    private let method: String
    private let url: String
    private let service: String
    private let keys: (access: String, secret: String)
    private let body: String

    init(_ method: String, _ url: String, service: String, keys: (access: String, secret: String), body: String = "") {
        self.method = method
        self.url = url
        self.service = service
        self.keys = keys
        self.body = body
    }

    func run() throws(S3ServerError) -> Answer {
        let result: (status: Int32, output: String, error: String)
        do {
            result = try GatewayUnderTest.run(
                "python3", [S3Tools.script("signed-call.py"), method, url, service, body],
                environment: ["ACCESS_KEY": keys.access, "SECRET_KEY": keys.secret], seconds: 30)
        } catch { throw .system("\(error)") }
        let (first, rest) = result.output.splitOnce("\n")
        guard result.status == 0, let status = Int(first) else { throw .system(result.error) }
        return Answer(status: status, body: rest)
    }
}

extension String {
    fileprivate func splitOnce(_ separator: Character) -> (String, String) {
        guard let place = firstIndex(of: separator) else { return (self, "") }
        return (String(self[..<place]), String(self[index(after: place)...]))
    }
}

/// moto's user. Its first three requests are believed whoever makes them; from then on signatures and policies count.
enum MotoUser {
    private static let policy =
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22"
        + "Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D"

    static func make(endpoint: String) throws(S3ServerError) -> (access: String, secret: String) {
        _ = try call(endpoint, "CreateUser&UserName=sluice")
        let answer = try call(endpoint, "CreateAccessKey&UserName=sluice")
        _ = try call(endpoint, "PutUserPolicy&UserName=sluice&PolicyName=all&PolicyDocument=\(policy)")
        guard let access = element("AccessKeyId", in: answer), let secret = element("SecretAccessKey", in: answer)
        else {
            throw .refused(.moto, call: "CreateAccessKey", answer: answer)
        }
        return (access, secret)
    }

    private static func call(_ endpoint: String, _ action: String) throws(S3ServerError) -> String {
        let answer = try SignedCall(
            "POST", endpoint + "/", service: "iam", keys: ("nobody", "nothing"),
            body: "Version=2010-05-08&Action=\(action)"
        ).run()
        guard answer.status == 200 else { throw .refused(.moto, call: action, answer: answer.body) }
        return answer.body
    }

    private static func element(_ name: String, in xml: String) -> String? {
        guard let start = xml.firstRange(of: "<\(name)>"), let end = xml.firstRange(of: "</\(name)>"),
            start.upperBound <= end.lowerBound
        else { return nil }
        return String(xml[start.upperBound..<end.lowerBound])
    }
}
