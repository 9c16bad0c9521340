// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import TestSupport
import Wire

/// The bucket's side of the effects. Packs are built and frames decoded by the production code, as an uploader does.
extension Simulation {
    func performBucket(_ effect: Effect, of gateway: SimulatedGateway) throws(Violation) {
        switch effect {
        case .putPack(let token, let key, let plan, let payload):
            gateway.putsPack = true
            gateway.frozenSequence = max(gateway.frozenSequence, plan.lastSequence)
            let built: BuiltPack
            do {
                built = try unsafe packBuilder.build(
                    plan: plan, blocks: UnsafeRawBufferPointer(payload.bytes(0..<plan.blockCount * 4096)))
            } catch {
                throw Violation(.effectsAreWellFormed, "a pack that cannot be built: \(error)")
            }
            try useName(key, gateway)
            trace.line(
                now,
                "g\(gateway.index) put pack \(plan.name): \(plan.blockCount) blocks up to \(plan.lastSequence.rawValue)"
            )
            begin(.putPack(key, built), token, gateway)
        case .putObject(let token, let key, let bytes, let precondition):
            guard key == BucketLayout.head(volume) else {
                try useName(key, gateway)
                trace.line(now, "g\(gateway.index) put \(key)")
                return begin(.putObject(key, bytes, precondition), token, gateway)
            }
            let head = try decode(bytes)
            trace.line(
                now,
                "g\(gateway.index) put HEAD \(head.commitNumber) "
                    + "up to \(head.journalSequence.rawValue), \(precondition)"
            )
            try willPutHead(head, precondition, gateway)
            begin(.putHead(key, bytes, precondition, head), token, gateway)
        case .getObject(let token, let key):
            trace.line(now, "g\(gateway.index) get \(key)")
            begin(.getObject(key), token, gateway)
        case .getRange(let token, let key, let byteOffset, let byteCount):
            trace.line(now, "g\(gateway.index) get \(byteCount) bytes at \(byteOffset) of \(key)")
            begin(.getRange(key, byteOffset: byteOffset, byteCount: byteCount), token, gateway)
        default: preconditionFailure("not an effect on the bucket")
        }
    }

    func decode(_ bytes: [UInt8]) throws(Violation) -> Head {
        do { return try HeadFormat.decode(bytes) } catch {
            throw Violation(.effectsAreWellFormed, "a HEAD that cannot be read: \(error)")
        }
    }

    /// Names of packs and map packs are for one attempt only (STORAGE §2).
    private func useName(_ key: ObjectKey, _ gateway: SimulatedGateway) throws(Violation) {
        let user = packNames.updateValue(gateway.index, forKey: key)
        // An old copy of a machine counts from the past; there only the precondition keeps the first pack safe.
        guard user == nil || gateway.isRestoredCopy && user != gateway.index else {
            throw Violation(.packNamesAreNeverReused, "\(key) is put a second time")
        }
    }

    func begin(_ work: StoreRequest.Work, _ token: EffectToken, _ gateway: SimulatedGateway) {
        var plan =
            work.isWrite ? faults.planWrite(at: now, random: &random) : faults.planRead(at: now, random: &random)
        if gateway.isCutOff {
            plan = StorePlan(appliesAt: nil, answersAt: now + 1_000_000, answer: .unavailable("it is cut off"))
        }
        let number = nextRequest
        nextRequest += 1
        trace.note(6, UInt64(number), now)
        noteFaults(plan, work)
        requests[number] = StoreRequest(
            gateway: gateway.index, life: gateway.life, token: token, work: work, plan: plan)
        if let time = plan.appliesAt { queue.add(.storeApplies(request: number), at: time) }
        queue.add(.storeAnswers(request: number), at: plan.answersAt)
    }

    func applyRequest(_ number: Int) throws(Violation) {
        guard var request = requests[number] else { return }
        trace.note(7, UInt64(number), now)
        switch request.work {
        case .putPack(let key, let built):
            request.outcome = .stored(put(key, built.bytes, .absent, request.plan))
        case .putObject(let key, let bytes, let precondition):
            request.outcome = .stored(put(key, bytes, precondition, request.plan))
        case .putHead(let key, let bytes, let precondition, let head):
            let before = store[key]
            var result = store.put(key, bytes, precondition)
            trace.line(now, "store: HEAD \(head.commitNumber) of g\(request.gateway): \(result)")
            noteHead(result, request, head)
            if case .success = result {
                try didPutHead(head, replacing: before, request)
                if request.plan.retriesInside {
                    result = store.put(key, bytes, precondition)
                    if case .failure(.preconditionFailed) = result { rare.add(.headLandedThen412) }
                }
            }
            request.outcome = .stored(result)
        case .getObject(let key): request.outcome = .object(store.get(key))
        case .getRange(let key, let byteOffset, let byteCount):
            request.outcome = .bytes(store.range(key, byteOffset: byteOffset, byteCount: byteCount))
        case .getNode(let node):
            request.outcome = .bytes(
                store.range(node.key, byteOffset: UInt64(node.byteOffset), byteCount: Int(node.byteCount)))
        case .getFrame(let frame):
            request.outcome = .bytes(
                store.range(frame.key, byteOffset: UInt64(frame.byteOffset), byteCount: Int(frame.byteCount)))
        }
        request.isApplied = true
        requests[number] = request.isAnswered ? nil : request
    }

    private func put(
        _ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition, _ plan: StorePlan
    ) -> Result<EntityTag, BucketFailure> {
        let result = store.put(key, bytes, precondition)
        guard plan.retriesInside, case .success = result else { return result }
        return store.put(key, bytes, precondition)
    }

    func answerRequest(_ number: Int) throws(Violation) {
        guard var request = requests[number] else { return }
        request.isAnswered = true
        requests[number] = request.isApplied || request.plan.appliesAt == nil ? nil : request
        let gateway = gateways[request.gateway]
        guard gateway.life == request.life, gateway.volume != nil else { return }
        trace.note(8, UInt64(number), now)
        if let refusal = request.plan.answer { return try fail(request, refusal, gateway) }
        guard let outcome = request.outcome else {
            return try fail(request, .unavailable("no answer"), gateway)
        }
        try deliver(outcome, request, gateway)
    }

    private func fail(
        _ request: StoreRequest, _ failure: BucketFailure, _ gateway: SimulatedGateway
    ) throws(Violation) {
        trace.line(now, "g\(gateway.index) bucket answers \(failure)")
        let token = request.token
        switch request.work {
        case .putPack: try send(.packStored(token, .failure(failure)), to: gateway)
        case .putHead, .putObject: try send(.objectStored(token, .failure(failure)), to: gateway)
        case .getObject: try send(.object(token, .failure(failure)), to: gateway)
        case .getRange: try send(.range(token, .failure(failure)), to: gateway)
        case .getFrame(let frame): try send(.fetched(frame, .failure(failure)), to: gateway)
        case .getNode(let node): try send(.fetched(node.cacheKey, .failure(failure)), to: gateway)
        }
    }

    private func deliver(
        _ outcome: StoreRequest.Outcome, _ request: StoreRequest, _ gateway: SimulatedGateway
    ) throws(Violation) {
        let token = request.token
        switch (request.work, outcome) {
        case (.putPack(_, let built), .stored(let result)):
            try send(
                .packStored(
                    token, result.map { _ in StoredPack(reference: built.reference, directory: built.directory) }),
                to: gateway)
        case (.putHead(_, _, _, let head), .stored(let result)):
            if case .success = result { didLearnCommit(head, gateway) }
            try send(.objectStored(token, result), to: gateway)
        case (.putObject, .stored(let result)): try send(.objectStored(token, result), to: gateway)
        case (.getObject(let key), .object(let result)):
            if key == BucketLayout.head(volume), case .success(let object) = result {
                try didShowHead(object, gateway)
            }
            try send(.object(token, result), to: gateway)
        case (.getRange, .bytes(let result)):
            try send(.range(token, result.map { flipped($0, request.plan) }), to: gateway)
        case (.getNode(let node), .bytes(let result)):
            try send(.fetched(node.cacheKey, result.map { flipped($0, request.plan) }), to: gateway)
        case (.getFrame(let frame), .bytes(let result)):
            let contents = decodeFrame(result.map { flipped($0, request.plan) })
            try send(.fetched(frame, contents.map { $0.encoded() }), to: gateway)
        default: preconditionFailure("an outcome of another kind")
        }
    }

    private func flipped(_ bytes: [UInt8], _ plan: StorePlan) -> [UInt8] {
        guard plan.flipsBody, !bytes.isEmpty else { return bytes }
        var bytes = bytes
        bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
        return bytes
    }

    /// As an uploader does it: what does not verify is never passed on.
    private func decodeFrame(_ bytes: Result<[UInt8], BucketFailure>) -> Result<FrameContents, BucketFailure> {
        switch bytes {
        case .failure(let failure): return .failure(failure)
        case .success(let bytes):
            do { return .success(try FrameFormat.decode(bytes, expecting: nil, codec: codec)) } catch {
                return .failure(.corrupt("\(error)"))
            }
        }
    }
}
