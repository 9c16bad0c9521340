# SPDX-License-Identifier: Apache-2.0
"""PDUs that are nearly right: sequences of a working session with a field or some changed."""
import struct

from wire import (
    COMMAND, DATA_OUT, FINAL, IMMEDIATE, LOGIN, LOGOUT, NONE, NOP_OUT, READ, SIMPLE, SNACK, TASK_MANAGEMENT, TEXT,
    WRITE, lun_field, pairs,
)

EXTREMES = [0, 1, 2, 0x7F, 0xFF, 0x100, 0x1FF, 0x200, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, NONE]
# FORMAT UNIT. PERSISTENT RESERVE OUT is offered without what would keep all others from the unit.
LEFT_OUT = {0x04}
PR_OUT, HARMLESS_ACTIONS = 0x5F, (0, 2, 6)
OPCODES = [0x00, 0x03, 0x08, 0x0A, 0x12, 0x15, 0x1A, 0x1B, 0x1E, 0x25, 0x28, 0x2A, 0x2E, 0x2F, 0x34, 0x35, 0x37, 0x41,
           0x42, 0x55, 0x5A, 0x5E, 0x5F, 0x83, 0x84, 0x88, 0x89, 0x8A, 0x8B, 0x8E, 0x8F, 0x90, 0x91, 0x93, 0x9C, 0x9E,
           0xA0, 0xA3, 0xA8, 0xAA, 0xAE, 0xAF, 0xB7]
KEYS = ["InitiatorName", "TargetName", "SessionType", "AuthMethod", "HeaderDigest", "DataDigest", "InitialR2T",
        "ImmediateData", "MaxRecvDataSegmentLength", "MaxBurstLength", "FirstBurstLength", "DefaultTime2Wait",
        "DefaultTime2Retain", "MaxOutstandingR2T", "MaxConnections", "ErrorRecoveryLevel", "CHAP_A", "CHAP_N",
        "CHAP_R", "CHAP_I", "CHAP_C", "SendTargets", "TargetAlias", "OFMarker", "IFMarkInt", "X-org.test",
        "TaskReporting"]
VALUES = ["", "Yes", "No", "None", "CRC32C", "0", "1", "-1", "512", "16777215", "16777216", "4294967297", "0x",
          "0xffff", "0b", "CHAP", "Normal", "Discovery", "iqn.2026-11.test:x", "Reject", "Irrelevant", "All",
          "5,6,7,8", "a" * 255]


class Mutator:
    def __init__(self, random, session):
        self.random, self.session = random, session
        self.blocks = 1 << 21
        # Tags that have been used, and transfer tags that the target has given.
        self.tasks, self.transfers = [1], []
        self.makers = [
            (self.command, 40), (self.write, 12), (self.data_out, 14), (self.ping, 8), (self.management, 8),
            (self.text, 6), (self.snack, 3), (self.anything, 5), (self.logout, 1), (self.login, 1),
        ]
        self.kinds, self.weights = zip(*self.makers)

    def batch(self, count):
        """The PDUs as one piece, and how many they are; after one that breaks the framing there are no more."""
        pieces = []
        for maker in self.random.choices(self.kinds, self.weights, k=count):
            piece, ends = self.spoil(maker())
            pieces.append(piece)
            if ends:
                break
        return b"".join(pieces), len(pieces), ends

    # Fields

    def number(self, bits=32):
        if self.random.random() < 0.5:
            return self.random.choice(EXTREMES) & ((1 << bits) - 1)
        return self.random.getrandbits(bits)

    def task(self):
        if self.random.random() < 0.1:
            return self.random.choice([NONE, self.random.choice(self.tasks), self.number()])
        task = self.session.task()
        self.tasks = [*self.tasks[-31:], task]
        return task

    def command_number(self):
        return self.number() if self.random.random() < 0.03 else self.session.number()

    def lun(self):
        return self.random.choice([lun_field(1), self.random.randbytes(8), lun_field(255)]) \
            if self.random.random() < 0.03 else self.session.lun

    def header(self, opcode, flags, data=b"", task=None, lun=None, rest=b""):
        return bytearray(struct.pack(">BBHI", opcode, flags, 0, len(data)) + (lun or self.lun())
                         + struct.pack(">I", (self.task() if task is None else task) & NONE)
                         + rest.ljust(28, b"\0")[:28]), data

    # PDUs

    def cdb(self):
        random = self.random
        opcode = random.choice(OPCODES) if random.random() < 0.95 else random.randrange(256)
        if opcode in LEFT_OUT:
            opcode = 0
        lba = random.randrange(self.blocks) if random.random() < 0.8 else self.number()
        count = random.choice([0, 1, 1, 2, 8, 8, 64, 256, 0xFFFF])
        if opcode < 0x20:
            cdb = bytes([opcode, lba >> 16 & 31, lba >> 8 & 255, lba & 255, count & 255, 0])
        elif opcode < 0x80:
            cdb = struct.pack(">BBIBHB", opcode, 0, lba & NONE, 0, count & 0xFFFF, 0)
        elif opcode < 0xA0:
            action = random.choice([0, 0x10, 0x12]) if opcode == 0x9E else 0
            cdb = struct.pack(">BBQIBB", opcode, action, lba, count, 0, 0)
        else:
            cdb = struct.pack(">BBIIBB", opcode, 0x0C if opcode == 0xA3 else 0, lba & NONE, count, 0, 0)
        cdb = bytearray(cdb.ljust(16, b"\0"))
        for _ in range(random.choice([0, 0, 1, 1, 2, 4])):
            cdb[random.randrange(1, 16)] = random.choice([0, 1, 0xFF, random.randrange(256)])
        if cdb[0] == PR_OUT:
            cdb[1] = random.choice(HARMLESS_ACTIONS)
        return bytes(cdb)

    def command(self):
        random = self.random
        flags = FINAL | random.choice([READ | SIMPLE, READ | SIMPLE, SIMPLE, WRITE | SIMPLE, random.randrange(128)])
        data = random.randbytes(random.choice([8, 24, 40, 512])) if flags & WRITE and random.random() < 0.7 else b""
        expected = len(data) if data else random.choice([0, 4, 36, 255, 512, 4096, 65536, self.number()])
        immediate = IMMEDIATE if random.random() < 0.1 else 0
        number = self.session.command_number if immediate else self.command_number()
        rest = struct.pack(">III", expected & NONE, number, self.session.status_number) + self.cdb()
        return self.header(COMMAND | immediate, flags, data, rest=rest)

    def write(self):
        """Valid as a rule, with its data, part of it or none of it."""
        random = self.random
        count = random.choice([1, 2, 8])
        opcode = random.choice([0x2A, 0x8A, 0x2E, 0x89, 0x41])
        lba = random.randrange(self.blocks - 8)
        cdb = struct.pack(">BBIBHB", opcode, 0, lba, 0, count, 0) if opcode < 0x80 else struct.pack(
            ">BBQIBB", opcode, 0, lba, count, 0, 0)
        data = random.randbytes(512 * count) if random.random() < 0.5 else b""
        flags = FINAL | WRITE | SIMPLE if random.random() < 0.8 else WRITE | SIMPLE
        rest = struct.pack(">III", 512 * count, self.command_number(), self.session.status_number) + cdb
        return self.header(COMMAND, flags, data, rest=rest)

    def data_out(self):
        random = self.random
        if self.transfers and random.random() < 0.8:
            task, transfer, offset, length = self.transfers.pop()
        else:
            task, transfer, offset, length = random.choice(self.tasks), self.number(), 0, 512
        if random.random() < 0.3:
            offset, length = self.number(), random.choice([0, 1, 511, 512, 8192])
        number = 0 if random.random() < 0.8 else self.number()
        rest = struct.pack(">IIIIII", transfer & NONE, 0, self.session.status_number, 0, number, offset & NONE)
        return self.header(DATA_OUT, FINAL if random.random() < 0.8 else 0, random.randbytes(min(length, 65536)),
                           task=task, rest=rest)

    def ping(self):
        rest = struct.pack(">III", self.random.choice([NONE, NONE, self.number()]), self.session.command_number,
                           self.session.status_number)
        data = self.random.randbytes(self.random.choice([0, 4, 100, 4096]))
        return self.header(NOP_OUT | IMMEDIATE, FINAL, data, rest=rest)

    def management(self):
        random = self.random
        # Resets of the whole target end all sessions, also that of the load beside; now and then is enough.
        function = random.choice([1, 1, 1, 2, 3, 4, 5, 8, random.randrange(9, 128)])
        rest = struct.pack(">IIIII", random.choice(self.tasks), self.session.command_number,
                           self.session.status_number, self.number(), self.number())
        return self.header(TASK_MANAGEMENT | IMMEDIATE, FINAL | function, rest=rest)

    def text(self):
        rest = struct.pack(">III", self.random.choice([NONE, NONE, self.number()]), self.session.command_number,
                           self.session.status_number)
        flags = self.random.choice([FINAL, FINAL, 0x40, 0])
        return self.header(TEXT | IMMEDIATE, flags, self.keys(3), rest=rest)

    def snack(self):
        rest = struct.pack(">III", self.number(), 0, self.session.status_number)
        return self.header(SNACK | IMMEDIATE, FINAL | self.random.randrange(16), rest=rest)

    def anything(self):
        data = self.random.randbytes(self.random.choice([0, 0, 48, 1000]))
        return self.header(self.random.randrange(128), self.random.randrange(256), data,
                           rest=self.random.randbytes(28))

    def logout(self):
        # Reason 1 of another connection, and 2, which the session outlives.
        rest = struct.pack(">HHII", 77, 0, self.session.command_number, self.session.status_number)
        return self.header(LOGOUT | IMMEDIATE, FINAL | self.random.choice([1, 2, 2, self.random.randrange(3, 128)]),
                           rest=rest)

    def login(self):
        """Of the login phase if it is sent there; in full feature phase it ends the connection."""
        if self.random.random() < 0.9:
            return self.ping()
        return self.header(LOGIN | IMMEDIATE, 0x87, self.keys(4), rest=bytes(28))

    def keys(self, most):
        items = [(self.random.choice(KEYS), self.random.choice(VALUES)) for _ in range(self.random.randrange(most + 1))]
        data = pairs(items)
        if data and self.random.random() < 0.2:
            data = bytearray(data)
            data[self.random.randrange(len(data))] = self.random.choice([0, ord("="), 0xFF, self.random.randrange(256)])
        return bytes(data)

    # Damage

    def spoil(self, made):
        """One header in four gets a bit or byte changed; one in 400 lies about its lengths, which ends the stream."""
        header, data = made
        random, before = self.random, bytes(header[:28])
        choice, ends = random.random(), False
        if choice < 0.12:
            # Opcode, flags and tags: what comes first in every decision.
            at = random.choice([0, 1, 2, 3, *range(8, 48)])
            header[at] ^= 1 << random.randrange(8)
        elif choice < 0.2:
            at = random.choice([8, 16, 20, 24, 28, 32, 36, 40, 44])
            struct.pack_into(">I", header, at, self.number())
        elif choice < 0.24:
            ahs = random.randbytes(4 * random.choice([1, 2, 5, 16]))
            header[4] = len(ahs) // 4
            header += ahs
        elif choice < 0.2425:
            header[random.randrange(4, 8)] ^= 1 << random.randrange(8)
            ends = True
        if header[0] & 0x3F == COMMAND and header[32] in (PR_OUT, *LEFT_OUT):
            header[33] = random.choice(HARMLESS_ACTIONS)
            header[32] = PR_OUT
        counted = before[0] == COMMAND and struct.unpack_from(">I", before, 24)[0] == self.session.command_number - 1
        if counted and (header[0] != COMMAND or header[24:28] != before[24:28]):
            # It will not count as a command, and the ones after it should.
            self.session.command_number = (self.session.command_number - 1) & NONE
        return bytes(header) + data + bytes(-len(data) % 4), ends


def login_sequence(random, session):
    """Requests of a login with something changed; the last ones may be of another stage or kind."""
    items = list(session.names().items()) + [("AuthMethod", random.choice(["None", "CHAP", "None,CHAP", ""]))]
    offer = list(session.offer.items())
    pieces, first, second = [], random.choice([0x81, 0x81, 0, 0x87, 0x40]), random.choice([0x87, 0x87, 4, 0xC7])
    for stage, keys in ((first, items), (second, offer)):
        for _ in range(random.choice([0, 1, 1, 3])):
            keys.insert(random.randrange(len(keys) + 1), (random.choice(KEYS), random.choice(VALUES)))
        if random.random() < 0.3:
            keys.pop(random.randrange(len(keys)))
        data = bytearray(pairs(keys))
        for _ in range(random.choice([0, 0, 1, 2])):
            data[random.randrange(len(data))] = random.randrange(256)
        header = bytearray(struct.pack(">BBHI", LOGIN | IMMEDIATE, stage, 0, len(data)) + session.isid + bytes(2)
                           + struct.pack(">I", 1) + bytes(28))
        for _ in range(random.choice([0, 0, 1])):
            at = random.choice([0, 1, 2, 3, *range(8, 48)])
            header[at] ^= 1 << random.randrange(8)
        pieces.append(bytes(header) + bytes(data) + bytes(-len(data) % 4))
    return pieces
