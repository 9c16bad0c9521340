# SPDX-License-Identifier: Apache-2.0
"""A model of persistent reservations (SPC-4 5.13), and a walk at random that compares a unit with it."""
import random, struct

from cases import BLOCK, read_10, write_10
from session import Session
from wire import FINAL, R2T, SIMPLE, WRITE, WireError

GOOD, CONFLICT = 0x00, 0x18
REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, REGISTER_AND_IGNORE = 0, 1, 2, 3, 4, 6
WRITE_EXCLUSIVE, EXCLUSIVE = {1, 5, 7}, {3, 6, 8}
REGISTRANTS_ONLY, ALL_REGISTRANTS = {5, 6}, {7, 8}
TYPES = [1, 3, 5, 6, 7, 8]
NEXUSES = 4


class Model:
    def __init__(self, bench, stack, seed):
        self.bench, self.stack, self.random = bench, stack, random.Random(seed)
        self.isids = [bytes([0x80, 0, 0, 0, 0, number]) for number in range(NEXUSES)]
        self.sessions = [None] * NEXUSES
        for number in range(NEXUSES):
            self.reconnect(number)
        self.keys, self.holder, self.kind = {}, None, 0
        message, _ = self.sessions[0].run(self.pr_in(0), expected=8)
        self.is_offered = message.sense is None or message.sense[1] != 0x2000
        if self.is_offered:
            self.clear()
            message, data = self.sessions[0].run(self.pr_in(0), expected=8)
            self.generation = struct.unpack_from(">I", data)[0]

    @staticmethod
    def pr_in(action):
        return bytes([0x5E, action, 0, 0, 0, 0, 0, 1, 0, 0])

    def reconnect(self, number):
        if self.sessions[number]:
            self.sessions[number].close()
        name = f"{self.bench.setup.initiator}.nexus{number}"
        session = Session(self.bench.address, initiator=name, isid=self.isids[number])
        self.stack.callback(session.close)
        session.run(bytes(6), retries=10)
        self.sessions[number] = session

    def clear(self):
        """No registrations, whoever has left some."""
        for number in range(NEXUSES):
            self.out(number, REGISTER_AND_IGNORE, new=1)
            self.out(number, CLEAR, key=1)

    # What is asked of the unit

    def out(self, number, action, kind=0, key=0, new=0):
        data = struct.pack(">QQ8x", key, new)
        cdb = bytes([0x5F, action, kind, 0, 0, 0, 0, 0, 24, 0])
        return self.status(number, cdb, data)

    def status(self, number, cdb, data=b"", expected=0):
        """The status, with unit attentions taken."""
        session = self.sessions[number]
        for _ in range(10):
            if data:
                task = session.send_command(cdb, expected=len(data), flags=FINAL | WRITE | SIMPLE)
                message, _ = session.expect(task)
                while message.opcode == R2T:
                    session.answer_r2t(message, data)
                    message, _ = session.expect(task)
            else:
                message, _ = session.expect(session.send_command(cdb, expected=expected))
            if not (message.sense and message.sense[0] == 6):
                return message.sense if message.header[3] == 2 else message.header[3]
        raise WireError("unit attentions without end")

    # What the model says

    def is_holder(self, number):
        return number in self.keys and (self.kind in ALL_REGISTRANTS or self.holder == number)

    def may(self, number, writes):
        if not self.kind or self.is_holder(number):
            return True
        is_member = number in self.keys and self.kind in REGISTRANTS_ONLY | ALL_REGISTRANTS
        return is_member or (not writes and self.kind in WRITE_EXCLUSIVE)

    def forget(self, number):
        """A registration goes, and its reservation with it."""
        self.keys.pop(number)
        if self.kind in ALL_REGISTRANTS:
            if not self.keys:
                self.kind, self.holder = 0, None
        elif self.holder == number:
            self.kind, self.holder = 0, None

    def register(self, number, key, new, ignore):
        if not ignore and key != self.keys.get(number, 0):
            return CONFLICT
        if new:
            self.keys[number] = new
            self.generation += 1
        elif number in self.keys:
            self.forget(number)
            self.generation += 1
        return GOOD

    def reserve(self, number, key, kind):
        if self.keys.get(number) != key:
            return CONFLICT
        if self.kind:
            return GOOD if self.is_holder(number) and self.kind == kind else CONFLICT
        self.kind, self.holder = kind, number
        return GOOD

    def release(self, number, key, kind):
        if self.keys.get(number) != key:
            return CONFLICT
        if not self.kind or not self.is_holder(number):
            return GOOD
        if self.kind != kind:
            return (5, 0x2604)
        self.kind, self.holder = 0, None
        return GOOD

    def clear_all(self, number, key):
        if self.keys.get(number) != key:
            return CONFLICT
        self.keys, self.kind, self.holder = {}, 0, None
        self.generation += 1
        return GOOD

    def preempt(self, number, key, victim, kind):
        """`victim` is a key that is not 0."""
        if self.keys.get(number) != key:
            return CONFLICT
        takes = self.kind and self.kind not in ALL_REGISTRANTS and self.keys.get(self.holder) == victim
        gone = [other for other, its in self.keys.items() if its == victim and other != number]
        if not takes and victim not in self.keys.values():
            return CONFLICT
        if takes:
            self.holder, self.kind = number, kind
            for other in gone:
                self.keys.pop(other)
        elif number in self.keys and self.keys[number] == victim:
            # Its own registration, too: which units do that differs, so the walk does not go there.
            raise AssertionError("not a step of the walk")
        else:
            for other in gone:
                self.forget(other)
        self.generation += 1
        return GOOD


def step(model):
    """One command at random. Returns what it was, what the unit said and what the model says."""
    number, choice = model.random.randrange(NEXUSES), model.random.random()
    own = model.keys.get(number, 0)
    key = own if model.random.random() < 0.85 else 99
    kind = model.random.choice([model.kind or 1, *TYPES])
    if choice < 0.2:
        new, ignore = model.random.choice([0, 10 + number, 20 + number]), model.random.random() < 0.5
        action = REGISTER_AND_IGNORE if ignore else REGISTER
        return (f"nexus {number} registers {key} {new} ignore={ignore}",
                model.out(number, action, key=key, new=new), model.register(number, key, new, ignore))
    if choice < 0.35 and key:
        return (f"nexus {number} reserves {key} type {kind}", model.out(number, RESERVE, kind, key),
                model.reserve(number, key, kind))
    if choice < 0.45 and key:
        return (f"nexus {number} releases {key} type {kind}", model.out(number, RELEASE, kind, key),
                model.release(number, key, kind))
    if choice < 0.48 and key:
        return f"nexus {number} clears {key}", model.out(number, CLEAR, key=key), model.clear_all(number, key)
    others = [its for other, its in model.keys.items() if its != own]
    if choice < 0.58 and key and others:
        victim = model.random.choice(others)
        return (f"nexus {number} preempts {victim} with {key} type {kind}",
                model.out(number, PREEMPT, kind, key, victim), model.preempt(number, key, victim, kind))
    if choice < 0.65:
        model.reconnect(number)
        return f"nexus {number} logs in again", GOOD, GOOD
    if choice < 0.82:
        found = model.status(number, write_10(model.bench.lba, 1), b"w" * BLOCK)
        return f"nexus {number} writes", found, GOOD if model.may(number, True) else CONFLICT
    found = model.status(number, read_10(model.bench.lba, 1), expected=BLOCK)
    return f"nexus {number} reads", found, GOOD if model.may(number, False) else CONFLICT


def state(model):
    """Keys, generation, and holder's key and type, as the unit reports them."""
    _, data = model.sessions[0].run(model.pr_in(0), expected=256, retries=10)
    generation, length = struct.unpack_from(">II", data)
    keys = sorted(struct.unpack_from(f">{length // 8}Q", data, 8))
    _, data = model.sessions[0].run(model.pr_in(1), expected=256, retries=10)
    reservation = (struct.unpack_from(">Q", data, 8)[0], data[21]) if len(data) >= 24 else None
    return keys, generation, reservation


def differences(model, steps):
    """The first step after which unit and model do not agree."""
    trail = []
    for count in range(steps):
        what, found, due = step(model)
        trail.append(what)
        if found != due:
            return f"step {count}: {what}: {found}, due {due}; before: {'; '.join(trail[-4:-1])}"
        key = 0 if model.kind in ALL_REGISTRANTS else model.keys.get(model.holder)
        expected = (sorted(model.keys.values()), model.generation, (key, model.kind) if model.kind else None)
        if state(model) != expected:
            return f"step {count}: {what}: {state(model)}, due {expected}; before: {'; '.join(trail[-4:-1])}"
    return None
