# SPDX-License-Identifier: Apache-2.0
"""Writes stamped blocks through an iSCSI portal, reads them back, and knows what each of them may hold."""

import os
import pathlib
import random
import socket
import struct
import subprocess
import tempfile
import threading
import time

from daemon import Failure, wait

BLOCK = 4096
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3


class NBDClient:
    """The fixed newstyle handshake and simple replies, one request at a time."""

    def __init__(self, path, timeout):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        magic, option, flags = struct.unpack(">QQH", self.receive(18))
        if magic != 0x4E42444D41474943 or option != 0x49484156454F5054 or not flags & 1:
            raise Failure("this is no NBD server")
        # Client flags (fixed newstyle, no zeroes), then NBD_OPT_EXPORT_NAME with the default export.
        self.socket.sendall(struct.pack(">IQII", 3, option, 1, 0))
        self.size, _ = struct.unpack(">QH", self.receive(10))
        self.handle = 0

    def receive(self, count):
        data = bytearray()
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("the NBD server has hung up")
            data += part
        return bytes(data)

    def request(self, kind, offset=0, length=0, data=b""):
        """0 or the error number, and the data of a read."""
        self.handle += 1
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, 0, kind, self.handle, offset, length) + data)
        magic, error, handle = struct.unpack(">IIQ", self.receive(16))
        if magic != 0x67446698 or handle != self.handle:
            raise Failure("the NBD server answers something else")
        return error, self.receive(length) if kind == READ and error == 0 else b""

    def close(self):
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, 0, DISCONNECT, 0, 0, 0))
        self.socket.close()


class Bridge:
    """`qemu-nbd`, whose initiator logs in again by itself, as operating systems do."""

    def __init__(self, url):
        self.directory = tempfile.TemporaryDirectory(prefix="sluice-nbd-")
        self.path = os.path.join(self.directory.name, "socket")
        self.log = pathlib.Path(self.directory.name, "log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["qemu-nbd", "--format=raw", "--cache=none", "--shared=16", "--persistent", f"--socket={self.path}",
                 url], stdout=log, stderr=log,
            )  # fmt: skip

    def __enter__(self):
        try:
            wait("qemu-nbd listens", 40, self.is_listening)
        except Failure:
            self.__exit__()
            raise
        return self

    def is_listening(self):
        if self.process.poll() is not None:
            raise Failure("qemu-nbd has ended: " + self.log.read_text())
        # The file is there a moment before it is listened on.
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.path) == 0

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.directory.cleanup()


def stamp(volume, block, sequence):
    """Every 32 bytes repeat volume, block and sequence with their number and a check, so that a torn or misplaced
    block cannot look right."""
    check = volume ^ block * 0x9E3779B97F4A7C15 ^ sequence * 0x85EBCA6BC2B2AE35
    words = []
    for part in range(BLOCK // 32):
        words += [volume << 32 | part, block, sequence, (check + part) & 0xFFFFFFFFFFFFFFFF]
    return struct.pack(f"<{len(words)}Q", *words)


def stamped_sequence(volume, block, data):
    """0 for zeros, None if it is no sound stamp of this volume and block."""
    if not any(data):
        return 0
    sequence = struct.unpack_from("<Q", data, 16)[0]
    return sequence if data == stamp(volume, block, sequence) else None


class Writer(threading.Thread):
    """Owns the blocks whose number modulo the number of writers is its index; one request at a time."""

    def __init__(self, load, index):
        super().__init__(daemon=True)
        self.load, self.index = load, index
        self.random = random.Random(load.seed * 1000 + index)
        self.acknowledged, self.unknown = {}, {}
        self.sequence = self.requests = 0
        self.longest = 0.0
        self.complaints, self.errors = [], []

    def run(self):
        try:
            client = NBDClient(self.load.bridge.path, self.load.patience)
            while not self.load.stopping.is_set() and not self.complaints:
                begin = time.monotonic()
                self.round(client)
                self.longest = max(self.longest, time.monotonic() - begin)
                self.requests += 1
            client.close()
        except (OSError, Failure) as error:
            self.complaints.append(f"writer {self.index}: {error or 'no answer for too long'}")

    def own_block(self):
        return self.random.randrange(self.load.blocks // self.load.writers) * self.load.writers + self.index

    def round(self, client):
        choice = self.random.randrange(10)
        if choice < 2:
            self.check(client, self.own_block())
        elif choice == 2:
            error, _ = client.request(FLUSH)
            if error:
                self.errors.append(f"a flush failed with {error}")
        else:
            self.write(client, self.own_block())

    def write(self, client, block):
        self.sequence += 1
        error, _ = client.request(WRITE, block * BLOCK, BLOCK, stamp(self.load.volume, block, self.sequence))
        if error:
            self.errors.append(f"writing block {block} failed with {error}")
            self.unknown.setdefault(block, set()).add(self.sequence)
        else:
            self.acknowledged[block] = self.sequence
            self.unknown.pop(block, None)

    def check(self, client, block):
        error, data = client.request(READ, block * BLOCK, BLOCK)
        if error:
            self.errors.append(f"reading block {block} failed with {error}")
            return
        found, expected = stamped_sequence(self.load.volume, block, data), self.acknowledged.get(block, 0)
        if found != expected and found not in self.unknown.get(block, ()):
            self.complaints.append(f"block {block} holds {found}; acknowledged was {expected}")

    def verify(self, client):
        for block in sorted(self.acknowledged.keys() | self.unknown.keys()):
            self.check(client, block)


class StampedLoad:
    """A load while something happens: `with StampedLoad(url) as load: …`, then `load.report()`, which fails if
    anything that was acknowledged is not there, or an initiator has seen an error."""

    def __init__(self, url, offset_seed=None, writers=3, blocks=3000, patience=90):
        self.url, self.writers, self.blocks, self.patience = url, writers, blocks, patience
        self.seed = offset_seed if offset_seed is not None else random.randrange(1 << 30)
        self.volume = random.randrange(1, 1 << 32)
        self.stopping = threading.Event()
        self.threads = []
        self.bridge = None

    def __enter__(self):
        self.bridge = Bridge(self.url).__enter__()
        self.clear()
        self.threads = [Writer(self, index) for index in range(self.writers)]
        for thread in self.threads:
            thread.start()
        return self

    def clear(self):
        """Stamps of an earlier load go: a block that was never written holds zeros."""
        client = NBDClient(self.bridge.path, self.patience)
        for start in range(0, self.blocks * BLOCK, 1 << 20):
            length = min(1 << 20, self.blocks * BLOCK - start)
            error, _ = client.request(WRITE, start, length, bytes(length))
            if error:
                raise Failure(f"clearing the blocks failed with {error}")
        client.close()

    def __exit__(self, kind, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(self.patience + 5)
        self.bridge.__exit__()

    def report(self):
        complaints = [text for thread in self.threads for text in thread.complaints]
        complaints += [f"writer {t.index} has not ended" for t in self.threads if t.is_alive()]
        if not complaints:
            # With a session of its own: nothing that the first one has kept.
            with Bridge(self.url) as bridge:
                client = NBDClient(bridge.path, self.patience)
                for thread in self.threads:
                    thread.verify(client)
                client.close()
            complaints = [text for thread in self.threads for text in thread.complaints]
        errors = [text for thread in self.threads for text in thread.errors]
        if complaints or errors:
            raise Failure(f"seed {self.seed}: " + "; ".join((complaints + errors)[:10]))
        requests = sum(thread.requests for thread in self.threads)
        if requests < 100:
            raise Failure(f"only {requests} requests were made")
        return f"{requests} requests, longest {max(thread.longest for thread in self.threads):.1f} s"
