// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// One client's connection: takes its requests one after the other. Requests that the server is to get later than
/// their clients believe are child tasks, so that the connection's task ends after the last of them.
struct ProxyConnection: Sendable {
    let client: ClientPeer
    let upstream: UpstreamAddress
    let script: FaultScript

    func serve() async {
        await withDiscardingTaskGroup { group in
            let link = UpstreamLink(upstream: upstream, client: client)
            let late = LateDelivery(script: script, upstream: upstream, loop: client.channel.eventLoop)
            do {
                while case .head(let head)? = try await client.next() {
                    let decision = script.decide(method: head.method.rawValue, uri: head.uri)
                    let exchange = Exchange(
                        client: client, link: link, script: script, late: late, head: head, decision: decision)
                    script.count { $0.open += 1 }
                    let end = await exchange.run()
                    script.count { $0.open -= 1 }
                    if let request = end.recorded {
                        for delay in decision.duplicateDelays {
                            group.addTask { await late.run(request, as: .duplicate, after: delay) }
                        }
                    }
                    guard end.keepsConnection else { break }
                }
            } catch is HTTPParserError {
                script.count { $0.malformed += 1 }
            } catch {
                // Reset between two requests: nothing was under way.
            }
            client.close()
            link.close()
        }
    }
}
