// SPDX-License-Identifier: Apache-2.0
import Logging
import Platform

/// Adopts slots whose cache manager is gone for good: what it owned is served on. One that is only being started again
/// has the time to come back to its own.
final class SlotKeeper {
    private static let interval = Duration.seconds(1)
    /// So often in a row a slot must be seen free.
    private static let patience = 5

    private let state: StateDirectory
    private let disk: any DiskWork
    private let logger: Logger
    private let adopt: (StateSlot, SlotContents) -> Void
    private var timer: LoopTimer?
    /// How often each was seen free.
    private var sightings: [Int: Int] = [:]
    /// Why a slot could not be adopted, as it was logged.
    private var problems: [Int: String] = [:]
    private var isStopped = false
    /// Those that hold something, whoever has them, as of the last look.
    private(set) var filledSlots: [Int]

    /// - Parameter adopt: on the loop, for each slot that is held from then on.
    init(
        _ state: StateDirectory, disk: any DiskWork, loop: EventLoop, logger: Logger,
        adopt: @escaping (StateSlot, SlotContents) -> Void
    ) {
        self.state = state
        self.disk = disk
        self.logger = logger
        self.adopt = adopt
        filledSlots = state.look().filled
        timer = loop.makeTimer { [weak self] in self?.look() }
        timer?.arm(after: Self.interval)
    }

    /// What is free from now on is left to others.
    func stop() { isStopped = true }

    private func look() {
        guard !isStopped else { return }
        let state = state
        disk.run {
            state.look()
        } then: { [self] view in
            let free = view.abandoned
            filledSlots = view.filled
            for (number, problem) in view.problems { note(problem, of: number) }
            sightings = Dictionary(uniqueKeysWithValues: free.map { ($0, (sightings[$0] ?? 0) + 1) })
            if let number = free.first(where: { (sightings[$0] ?? 0) >= Self.patience }) { take(number) }
            timer?.arm(after: Self.interval)
        }
    }

    private func take(_ number: Int) {
        guard !isStopped else { return }
        let state = state
        sightings[number] = 0
        disk.run { () -> Result<(StateSlot, SlotContents)?, any Error> in
            Result {
                guard let slot = try state.adopt(number) else { return nil }
                do { return (slot, try SlotContents(of: slot)) } catch {
                    state.abandon(slot)
                    throw error
                }
            }
        } then: { [self] result in
            switch result {
            case .success(nil): break
            case .success((let slot, let contents)?):
                logger.notice(
                    "Adopted a slot that no cache manager holds any more",
                    metadata: ["slot": "\(number)", "volumes": "\(contents.states.count)"])
                problems[number] = nil
                adopt(slot, contents)
            case .failure(let error): note("\(error)", of: number)
            }
        }
    }

    private func note(_ problem: String, of number: Int) {
        guard problems.updateValue(problem, forKey: number) != problem else { return }
        logger.error(
            "A slot cannot be adopted, should no cache manager hold it",
            metadata: ["slot": "\(number)", "reason": "\(problem)"])
    }
}
