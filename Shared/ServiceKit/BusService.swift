// SPDX-License-Identifier: Apache-2.0
import Bus
import ServiceLifecycle

/// The bus as a service of the group: the first to start and the last to stop, so that the others can still answer
/// and ask while they drain.
struct BusService: Service {
    let bus: BusThread

    func run() async throws {
        await withGracefulShutdownHandler {
            await bus.run()
        } onGracefulShutdown: {
            self.bus.shutdown()
        }
    }
}
