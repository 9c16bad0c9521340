# SPDX-License-Identifier: Apache-2.0
"""A session that writes, reads back and compares all the while, and must not notice what others do."""
import contextlib, random, threading, time

from cases import BLOCK, read_10, write_10
from session import Session
from wire import WireError

FIRST_BLOCK, BLOCKS, PIECE = 1 << 20, 4096, 64


class Watchdog(threading.Thread):
    """Used by `with`; `pause` stops it for what may rightly be noticed on the same volume."""

    def __init__(self, address, limit=5.0):
        super().__init__(daemon=True)
        self.address, self.limit = address, limit
        self.complaints, self.rounds, self.longest = [], 0, 0.0
        self.ending, self.lock = threading.Event(), threading.Lock()
        self.random = random.Random(1)

    def __enter__(self):
        self.session = self.connect()
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join(30)
        self.session.close()

    def connect(self):
        return Session(self.address, initiator="iqn.2026-11.test.sluice:watchdog", timeout=30)

    @contextlib.contextmanager
    def pause(self):
        """A new session afterwards, as the pause may have ended the old one."""
        with self.lock:
            yield
            self.session.close()
            for attempt in range(20):
                try:
                    self.session = self.connect()
                    return
                except (WireError, OSError, TimeoutError) as error:
                    last = error
                    time.sleep(0.5)
            self.complaints.append(f"no login after a case that runs alone: {last}")

    def run(self):
        while not self.ending.is_set():
            with self.lock:
                begun = time.monotonic()
                try:
                    self.round()
                except (WireError, OSError, TimeoutError) as error:
                    self.complaints.append(f"{type(error).__name__}: {error}")
                    with contextlib.suppress(WireError, OSError, TimeoutError):
                        self.session.close()
                        self.session = self.connect()
                taken = time.monotonic() - begun
            if taken > self.limit:
                self.complaints.append(f"a round took {taken:.1f} s")
            self.longest = max(self.longest, taken)
            self.ending.wait(0.02)

    def round(self):
        lba = FIRST_BLOCK + self.random.randrange(BLOCKS // PIECE) * PIECE
        data = self.random.randbytes(PIECE * BLOCK)
        for attempt in range(3):
            message = self.session.write_out(write_10(lba, PIECE), data)
            if not (message.sense and message.sense[0] == 6):
                break
        if message.header[3]:
            self.complaints.append(f"a write: {message}")
            return
        message, found = self.session.run(read_10(lba, PIECE), expected=len(data))
        if message.header[3]:
            self.complaints.append(f"a read: {message}")
        elif found != data:
            self.complaints.append(f"what was read at block {lba} is not what was written")
        self.rounds += 1
