# SPDX-License-Identifier: Apache-2.0
"""A process that writes, reads and compares as fast as one session can, and counts."""
import ctypes, multiprocessing, os, random, time

from cases import BLOCK, read_10, write_10
from session import Session
from wire import Address, WireError

PIECE = 128
BLOCKS = 1 << 16


class Load:
    """Used by `with`. Rounds are a write and a read of 64 KiB."""

    def __init__(self, address, compare=True):
        self.address, self.compare = address, compare
        self.rounds = multiprocessing.Value(ctypes.c_uint64, 0)
        self.longest = multiprocessing.Value(ctypes.c_double, 0.0)
        self.ending, self.complaints = multiprocessing.Event(), multiprocessing.SimpleQueue()

    def __enter__(self):
        self.process = multiprocessing.Process(target=self.run, daemon=True)
        self.process.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.process.join(30)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def run(self):
        generator, session = random.Random(os.getpid()), None
        while not self.ending.is_set():
            try:
                session = session or Session(self.address, initiator="iqn.2026-11.test.sluice:load", timeout=30)
                begun = time.monotonic()
                self.round(session, generator)
                self.longest.value = max(self.longest.value, time.monotonic() - begun)
                self.rounds.value += 1
            except (WireError, OSError, TimeoutError) as error:
                self.complaints.put(f"{type(error).__name__}: {error}")
                if session:
                    session.close()
                session = None
                time.sleep(0.5)
        if session:
            session.close()

    def round(self, session, generator):
        lba = generator.randrange(BLOCKS // PIECE) * PIECE
        data = generator.randbytes(PIECE * BLOCK)
        for _ in range(4):
            message = session.write_out(write_10(lba, PIECE), data)
            if not (message.sense and message.sense[0] == 6):
                break
        if message.header[3]:
            raise WireError(f"a write: {message}")
        message, found = session.run(read_10(lba, PIECE), expected=len(data))
        if message.header[3]:
            raise WireError(f"a read: {message}")
        if self.compare and found != data:
            raise WireError(f"what was read at block {lba} is not what was written")

    def rate(self, seconds):
        """Rounds a second from now on."""
        before, begun = self.rounds.value, time.monotonic()
        time.sleep(seconds)
        return (self.rounds.value - before) / (time.monotonic() - begun)

    def all_complaints(self):
        found = []
        while not self.complaints.empty():
            found.append(self.complaints.get())
        return found


def is_served(url, seconds=20):
    """Whether a login and a command go through within the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with Session(Address(url), timeout=5) as session:
                message, _ = session.run(bytes(6), retries=10)
                return message.header[3] in (0, 0x18)
        except (WireError, OSError, TimeoutError):
            time.sleep(0.2)
    return False
