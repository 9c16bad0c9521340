# SPDX-License-Identifier: Apache-2.0
"""One process that sends changed PDUs, connection after connection."""
import ctypes, multiprocessing, os, random, select, struct, time

from mutations import Mutator, login_sequence
from session import Session
from wire import FINAL, IMMEDIATE, NONE, NOP_IN, NOP_OUT, R2T, WireError, is_readable

BATCH = 48
# A connection ends after so many batches, if the target has not ended it.
BATCHES = 24


class Shared:
    """What the workers and the one who watches them have in common."""

    def __init__(self, workers):
        # PDUs a second of all workers together; 0 is a pause, below it no limit.
        self.rate = multiprocessing.Value(ctypes.c_double, 0.0)
        self.ending = multiprocessing.Event()
        # By worker: PDUs that were sent, those that the target has surely read, answers, connections, refused ones.
        self.sent, self.read, self.answers, self.connections, self.refused, self.rounds = (
            multiprocessing.Array(ctypes.c_uint64, workers, lock=False) for _ in range(6))
        self.workers = workers

    def total(self, counters):
        return sum(counters)


class Worker:
    def __init__(self, number, address, seed, shared):
        self.number, self.address, self.seed, self.shared = number, address, seed, shared
        self.due = time.monotonic()

    def run(self):
        # What is measured beside it shares the processors.
        os.nice(10)
        while not self.shared.ending.is_set():
            if self.shared.rate.value == 0:
                time.sleep(0.02)
                continue
            self.shared.rounds[self.number] += 1
            self.random = random.Random(f"{self.seed}.{self.number}.{self.shared.rounds[self.number]}")
            try:
                self.login_round() if self.random.random() < 0.1 else self.session_round()
            except (WireError, OSError, TimeoutError):
                self.shared.refused[self.number] += 1
                time.sleep(0.01)

    def pace(self, count):
        """Waits so that all workers together keep to the rate."""
        rate = self.shared.rate.value
        if rate > 0:
            self.due = max(self.due, time.monotonic() - 0.2) + count * self.shared.workers / rate
            delay = self.due - time.monotonic()
            if delay > 0:
                time.sleep(delay)

    def login_round(self):
        with Session(self.address, log_in=False, timeout=2, initiator=self.name()) as session:
            self.shared.connections[self.number] += 1
            for piece in login_sequence(self.random, session):
                if not session.send(piece):
                    return
                self.shared.sent[self.number] += 1
                # A header that says something else than a login, or a whole refusal, ends it.
                if not is_readable(session.socket, 0.5) or not session.socket.recv(65536):
                    return
                self.shared.read[self.number] += 1
                self.shared.answers[self.number] += 1
                self.pace(1)

    def name(self):
        return f"iqn.2026-11.test.sluice:fuzz{self.number}"

    def session_round(self):
        with Session(self.address, timeout=10, initiator=self.name()) as session:
            self.shared.connections[self.number] += 1
            mutator = Mutator(self.random, session)
            for _ in range(self.random.randrange(1, BATCHES + 1)):
                if self.shared.ending.is_set() or self.shared.rate.value == 0:
                    return
                data, count, ends = mutator.batch(BATCH)
                ping = 0x60000000 | self.random.getrandbits(24)
                data += struct.pack(">BBHI8sIIII16x", NOP_OUT | IMMEDIATE, FINAL, 0, 0, bytes(8), ping, NONE,
                                    session.command_number, session.status_number)
                self.shared.sent[self.number] += count
                if not self.exchange(session, mutator, data, ping, ends):
                    return
                self.shared.read[self.number] += count
                self.pace(count)

    def exchange(self, session, mutator, data, ping, ends):
        """Sends and takes what comes, at the same time. True if the ping behind it all was answered."""
        position, end = 0, time.monotonic() + (0.5 if ends else 10)
        session.socket.setblocking(False)
        while time.monotonic() < end:
            writing = [session.socket] if position < len(data) else []
            readable, writable, _ = select.select([session.socket], writing, [], 0.5)
            if writable:
                try:
                    position += session.socket.send(data[position:position + (1 << 16)])
                except BlockingIOError:
                    pass
            if readable:
                piece = session.socket.recv(1 << 18)
                if not piece:
                    return False
                session.buffer += piece
                if self.take(session, mutator, ping):
                    return True
        if not ends:
            raise TimeoutError
        return False

    def take(self, session, mutator, ping):
        """Reads whole PDUs out of the buffer. True once the ping's answer is there."""
        buffer, at, found = session.buffer, 0, False
        while len(buffer) - at >= 48:
            total = 48 + 4 * buffer[at + 4] + (int.from_bytes(buffer[at + 5:at + 8], "big") + 3) // 4 * 4
            if len(buffer) - at < total:
                break
            opcode = buffer[at] & 0x3F
            task, transfer, status, expected = struct.unpack_from(">IIII", buffer, at + 16)
            self.shared.answers[self.number] += 1
            if opcode == R2T:
                offset, length = struct.unpack_from(">II", buffer, at + 40)
                mutator.transfers = [*mutator.transfers[-15:], (task, transfer, offset, length)]
            elif opcode == NOP_IN and task == ping:
                found = True
                session.status_number = (status + 1) & NONE
                # What the target counts: some of the changed PDUs have moved its window, some have not.
                session.command_number = expected
            at += total
        del buffer[:at]
        return found


def start(address, seed, shared):
    """Returns the processes."""
    processes = []
    for number in range(shared.workers):
        worker = Worker(number, address, seed, shared)
        processes.append(multiprocessing.Process(target=worker.run, daemon=True))
        processes[-1].start()
    return processes
