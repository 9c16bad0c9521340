# SPDX-License-Identifier: Apache-2.0
"""Classes 47 to 51 and 53: commands with fields that nobody should set."""
import random, struct

from cases import BLOCK, NotApplicable, case, read_10
from wire import FINAL, R2T, READ, RESPONSE, SIMPLE, WRITE

STATUSES = {0x00, 0x02, 0x04, 0x08, 0x18, 0x28, 0x40}
SENSE_KEYS = {2, 3, 4, 5, 6, 7, 0xA, 0xB, 0xE}
# They would reserve the unit, erase or stop it, or write-protect it for all who come later.
NOT_AT_RANDOM = {0x04, 0x15, 0x16, 0x1B, 0x1E, 0x48, 0x55, 0x56, 0x5F}
INVALID_OPCODE = (5, 0x2000)


def carry_out(session, cdb, data=b"", expected=0, flags=None):
    """A command with whatever it says about its data. Returns its end and what it read."""
    if flags is None:
        flags = FINAL | SIMPLE | (WRITE if data else READ if expected else 0)
    task = session.send_command(cdb, expected=expected or len(data), flags=flags)
    found = b""
    while True:
        message, piece = session.expect(task)
        found += piece
        if message.opcode != R2T:
            return message, found
        session.answer_r2t(message, data.ljust(message.word(40) + message.word(44), b"\x5a"))


def illegal(message):
    """What is wrong with the end of a command, if anything is."""
    if message.opcode == RESPONSE and message.header[2] == 0:
        if message.header[3] not in STATUSES:
            return f"status {message.header[3]:02x}"
        if message.header[3] == 2 and (message.sense is None or message.sense[0] not in SENSE_KEYS):
            return f"sense {message.sense}"
    elif message.opcode != 0x25:
        return str(message)
    return None


@case(47, "every opcode with random bytes, 8 times", "every answer is legal", alone=True)
def random_commands(bench):
    generator, session = random.Random(47), bench.open()
    for opcode in range(256):
        if opcode in NOT_AT_RANDOM:
            continue
        for _ in range(8):
            # Small numbers here and there, or nothing would get past the first checks.
            rest = bytes(generator.choice([0, 0, 1, generator.randrange(256)]) for _ in range(15))
            expected = generator.choice([0, 1, 4, 36, 512, 4096, 65536])
            flags = FINAL | SIMPLE | generator.choice([0, READ, WRITE])
            message, found = carry_out(session, bytes([opcode]) + rest, expected=expected, flags=flags)
            wrong = illegal(message)
            if wrong or len(found) > expected:
                return f"{opcode:02x}{rest.hex()} expecting {expected}: {wrong or f'{len(found)} bytes'}"
    return bench.with_life(session, "every answer is legal")


def data_in(name, cdb, at, width):
    return name, cdb.ljust(16, b"\0"), at, width


DATA_IN_COMMANDS = [
    data_in("INQUIRY", bytes([0x12]), 3, 2),
    *(data_in(f"VPD {page:02x}", bytes([0x12, 1, page]), 3, 2) for page in (0, 0x80, 0x83, 0xB0, 0xB1, 0xB2)),
    data_in("REQUEST SENSE", bytes([0x03]), 4, 1), data_in("MODE SENSE(6)", bytes([0x1A, 0, 0x3F]), 4, 1),
    data_in("MODE SENSE(10)", bytes([0x5A, 0, 0x3F]), 7, 2), data_in("READ CAPACITY(16)", bytes([0x9E, 0x10]), 10, 4),
    data_in("REPORT LUNS", bytes([0xA0]), 6, 4), data_in("GET LBA STATUS", bytes([0x9E, 0x12]), 10, 4),
    data_in("REPORT SUPPORTED OPERATION CODES", bytes([0xA3, 0x0C]), 6, 4),
    data_in("one supported operation code", bytes([0xA3, 0x0C, 1, 0x28]), 6, 4),
    data_in("REPORT TARGET PORT GROUPS", bytes([0xA3, 0x0A]), 6, 4),
    *(data_in(f"PR IN {action}", bytes([0x5E, action]), 7, 2) for action in range(4)),
    data_in("RECEIVE COPY RESULTS", bytes([0x84, 3]), 10, 4),
]
SIZES = [*range(0, 130), 252, 255, 256, 512, 4095, 65535]
for label, cdb, at, width in DATA_IN_COMMANDS:
    @case(48, label, "the beginning of the whole, every time")
    def allocation_lengths(bench, cdb=cdb, at=at, width=width, label=label):
        session = bench.open()

        def read(size):
            return session.run(cdb[:at] + size.to_bytes(width, "big") + cdb[at + width:], expected=max(size, 4))

        message, whole = read(255 if width == 1 else 65535)
        if message.sense == INVALID_OPCODE or message.sense and message.sense[0] == 5:
            raise NotApplicable("some commands are not offered")
        for size in SIZES:
            if size >= 1 << 8 * width:
                continue
            message, found = read(size)
            # A list of what is allocated may only be asked for with room for its header.
            if message.sense and message.sense[0] == 5 and size < 24:
                continue
            if label == "GET LBA STATUS":
                # Its length is that of what it returns, which may be whole descriptors only.
                fits = min(size, len(whole)) - len(found) < 16 and found[4:] == whole[4:len(found)]
            else:
                fits = found == whole[:size]
            if not fits:
                return f"{size} bytes allowed: {message}, {len(found)} bytes, not the beginning of {len(whole)}"
        return "the beginning of the whole, every time"


def parameter(cdb, at, length, width=2):
    return cdb[:at] + length.to_bytes(width, "big") + cdb[at + width:]


def unmap_list(lba, count, data_length=22, block_length=16):
    return struct.pack(">HH4xQI4x", data_length, block_length, lba, count)


UNMAP = b"\x42" + bytes(9)
MODE_SELECT_6, MODE_SELECT_10 = bytes([0x15, 0x10, 0, 0, 0, 0]), bytes([0x55, 0x10]) + bytes(8)
PR_OUT = bytes([0x5F, 0]) + bytes(8)
XCOPY = b"\x83" + bytes(15)
# The list is taken, or refused for its length, a field of it or of the command, or the command is not offered.
LEGAL = {(5, 0x1A00), (5, 0x2600), (5, 0x2000), (5, 0x2400), (5, 0x2100), (5, 0x2608), (5, 0x2606), (5, 0x2607),
         (5, 0x2609), (0xA, 0x0D02), (5, 0x3900), (5, 0x0E03)}
CONTROL_PAGE = bytes([0x0A, 0x0A]) + bytes(10)
LISTS = {
    "UNMAP": (UNMAP, 7, 2, lambda bench: unmap_list(bench.lba, 8)),
    "MODE SELECT(6)": (MODE_SELECT_6, 4, 1, lambda bench: bytes(4) + CONTROL_PAGE),
    "MODE SELECT(10)": (MODE_SELECT_10, 7, 2, lambda bench: bytes(8) + CONTROL_PAGE),
    "PR OUT": (PR_OUT, 5, 4, lambda bench: bytes(24)),
    "EXTENDED COPY": (XCOPY, 10, 4, lambda bench: copy_list([designator(b"\x60" + bytes(15))], [segment(0, 0, 8, 8)])),
}
INFLATED = {
    "UNMAP: descriptors beyond the end": (UNMAP, 7, 2, lambda bench: unmap_list(bench.lba, 8, 0xFFFF, 0xFFF0)),
    "UNMAP: more descriptors than allowed": (UNMAP, 7, 2, lambda bench: struct.pack(">HH4x", 65530, 65528 // 16 * 16)
                                             + bytes(65528 // 16 * 16)),
    "UNMAP: half a descriptor": (UNMAP, 7, 2, lambda bench: unmap_list(bench.lba, 8, 14, 8)[:16]),
    "MODE SELECT(6): a page beyond the end": (MODE_SELECT_6, 4, 1, lambda bench: bytes(4) + b"\x0a\xff" + bytes(10)),
    "MODE SELECT(6): block descriptors beyond the end": (
        MODE_SELECT_6, 4, 1, lambda bench: bytes(3) + b"\xf8" + CONTROL_PAGE),
    "MODE SELECT(10): block descriptors beyond the end": (
        MODE_SELECT_10, 7, 2, lambda bench: bytes(6) + b"\xff\xf8" + CONTROL_PAGE),
    "PR OUT: transport IDs beyond the end": (
        PR_OUT, 5, 4, lambda bench: bytes(20) + b"\x08\0\0\0" + b"\xff\xff\xff\xff" + b"\x45\0\xff\xff"),
}


def judge_list(message, what):
    return None if message.header[3] in (0, 0x18) or message.sense in LEGAL else f"{what}: {message}"


for label, (cdb, at, width, make) in LISTS.items():
    @case(49, f"{label} truncated at every byte", "every answer is legal", alone=True)
    def truncated(bench, cdb=cdb, at=at, width=width, make=make):
        session, data = bench.open(), make(bench)
        for length in range(len(data)):
            for announced in (length, len(data)):
                # Less data than the command says there is, and the same as it says.
                message, _ = carry_out(session, parameter(cdb, at, announced, width), data[:length])
                if message.sense and message.sense[0] == 6:
                    message, _ = carry_out(session, parameter(cdb, at, announced, width), data[:length])
                wrong = judge_list(message, f"{length} of {announced} bytes")
                if wrong:
                    return wrong
        return bench.with_life(session, "every answer is legal")


for label, (cdb, at, width, make) in INFLATED.items():
    # What is left of an incomplete descriptor is ignored, SBC-3 5.28.
    good = "|SCSI Response status 00" if "half" in label else ""

    @case(49, label, r"SCSI Response status 02 5/(1a/00|26/..|24/00|20/00|21/00)|SCSI Response status 18" + good,
          alone=True)
    def inflated(bench, cdb=cdb, at=at, width=width, make=make):
        session, data = bench.open(), make(bench)
        message, _ = carry_out(session, parameter(cdb, at, len(data), width), data)
        return bench.with_life(session, str(message))


# 50: addresses

def capacity(session):
    _, data = session.run(bytes([0x25]), expected=8)
    return struct.unpack(">II", data)[0] + 1


def wide(opcode, lba, count, flags=0):
    return bytes([opcode, flags]) + (lba & (1 << 64) - 1).to_bytes(8, "big") + count.to_bytes(4, "big") + b"\0\0"


ADDRESSES = {"the end": lambda n: n, "one more": lambda n: n + 1, "2^31": lambda n: 1 << 31, "2^32": lambda n: 1 << 32,
             "2^55": lambda n: 1 << 55, "2^55 - 1": lambda n: (1 << 55) - 1, "2^63": lambda n: 1 << 63,
             "2^63 - 1": lambda n: (1 << 63) - 1, "2^64 - 1": lambda n: (1 << 64) - 1,
             "2^64 - 8": lambda n: (1 << 64) - 8}
WIDE = {"READ(16)": 0x88, "WRITE(16)": 0x8A, "VERIFY(16)": 0x8F, "WRITE SAME(16)": 0x93, "WRITE AND VERIFY(16)": 0x8E,
        "PRE-FETCH(16)": 0x90, "SYNCHRONIZE CACHE(16)": 0x91, "COMPARE AND WRITE": 0x89, "GET LBA STATUS": 0x9E}
for label, opcode in WIDE.items():
    @case(50, label, "5/21/00 at all addresses")
    def addresses(bench, opcode=opcode):
        session = bench.open()
        end = capacity(session)
        for name, address in ADDRESSES.items():
            cdb = wide(opcode, address(end), 8)
            data, expected = b"", 0
            if opcode in (0x8A, 0x8E):
                data = bytes(8 * BLOCK)
            elif opcode == 0x93:
                data = bytes(BLOCK)
            elif opcode == 0x89:
                cdb, data = wide(opcode, address(end), 0)[:13] + b"\x01\0\0", bytes(2 * BLOCK)
            elif opcode == 0x9E:
                cdb, expected = wide(opcode, address(end), 24, 0x12), 24
            elif opcode == 0x88:
                expected = 8 * BLOCK
            message, _ = carry_out(session, cdb, data, expected)
            if message.sense == INVALID_OPCODE:
                raise NotApplicable("some commands are not offered")
            if message.sense != (5, 0x2100):
                return f"{name}: {message}"
        return "5/21/00 at all addresses"


@case(50, "the last block, and one more", "GOOD, then 5/21/00")
def last_block(bench):
    session = bench.open()
    end = capacity(session)
    first, _ = session.run(read_10(end - 1, 1), expected=BLOCK)
    second, _ = session.run(read_10(end - 1, 2), expected=2 * BLOCK)
    ending = "{:x}/{:02x}/{:02x}".format(second.sense[0], second.sense[1] >> 8, second.sense[1] & 255) \
        if second.sense else second
    return f"{'GOOD' if first.header[3] == 0 else first}, then {ending}"


@case(50, "UNMAP at all addresses", "5/21/00 at all addresses")
def unmap_addresses(bench):
    session = bench.open()
    end = capacity(session)
    for name, address in ADDRESSES.items():
        for count in (8, 0xFFFFFFFF):
            data = unmap_list(address(end), count)
            message, _ = carry_out(session, parameter(UNMAP, 7, len(data)), data)
            # More blocks than one command may have is as good a reason.
            if message.sense not in ((5, 0x2100), (5, 0x2600)) or (count == 8 and message.sense != (5, 0x2100)):
                return f"{name}, {count} blocks: {message}"
    return "5/21/00 at all addresses"


# 51: LUN fields

LUNS = {"peripheral 255": "00ff", "another bus": "0100", "flat 1234": "44d2", "logical unit addressing": "8001",
        "extended addressing": "c101", "extended, well known": "c101000000000000", "a second level": "0000000100000000",
        "all ones": "ffffffffffffffff", "only the last byte": "0000000000000001"}
for label, digits in LUNS.items():
    @case(51, label, r"5/25/00, peripheral 7f")
    def lun_fields(bench, digits=digits):
        session = bench.open()
        lun = bytes.fromhex(digits).ljust(8, b"\0")
        message, _ = session.run(bytes(6), lun=lun)
        if message.sense != (5, 0x2500):
            return str(message)
        message, data = session.run(bytes([0x12, 0, 0, 0, 36, 0]), expected=36, lun=lun)
        return f"5/25/00, peripheral {data[0]:02x}" if data else f"5/25/00, INQUIRY: {message}"


# 53: EXTENDED COPY

def designator(naa):
    return bytes([0xE4, 0, 0, 0, 1, 3, 0, len(naa)]) + naa.ljust(20, b"\0") + bytes([0, 0, 2, 0])


def segment(source, destination, count, lba, kind=2):
    return struct.pack(">BBHHHHHQQ", kind, 0, 24, source, destination, 0, count, 0, lba)


def copy_list(targets, segments, segment_length=None):
    body, tail = b"".join(targets), b"".join(segments)
    length = len(tail) if segment_length is None else segment_length
    return struct.pack(">BBH4xII", 1, 0, len(body), length, 0) + body + tail


def own_name(session):
    """The NAA designator of this unit."""
    _, page = session.run(bytes([0x12, 1, 0x83, 0, 255, 0]), expected=255)
    at = 4
    while at + 4 <= len(page):
        if page[at + 1] & 0x3F == 3:
            return page[at + 4:at + 4 + page[at + 3]]
        at += 4 + page[at + 3]
    raise NotApplicable("no NAA designator")


ABORTED = r"SCSI Response status 02 a/0d/02"
COPIES = {
    "a unit that is not there": (lambda own, lba: copy_list([designator(b"\x60" + bytes(15))], [segment(0, 0, 8, lba)]),
                                 ABORTED),
    "a target index that is not there": (
        lambda own, lba: copy_list([designator(own)], [segment(0, 7, 8, lba)]), ABORTED),
    "no blocks": (lambda own, lba: copy_list([designator(own)], [segment(0, 0, 0, lba)]), "SCSI Response status 00"),
    "overlapping itself": (lambda own, lba: copy_list([designator(own)], [segment(0, 0, 64, 32)]),
                           "SCSI Response status 00"),
    "beyond the end": (lambda own, lba: copy_list([designator(own)], [segment(0, 0, 16, (1 << 64) - 8)]), ABORTED),
    "65535 segments announced": (lambda own, lba: copy_list([designator(own)], [segment(0, 0, 8, lba)], 65535 * 28),
                                 r"SCSI Response status 02 5/(1a/00|26/08)"),
    "2000 segments": (lambda own, lba: copy_list([designator(own)], [segment(0, 0, 1, lba)] * 2000),
                      r"SCSI Response status 02 5/(1a/00|26/08)"),
    "an unknown segment": (lambda own, lba: copy_list([designator(own)], [segment(0, 0, 8, lba, 1)]),
                           r"SCSI Response status 02 5/26/09"),
    "a length of nothing": (lambda own, lba: b"", "SCSI Response status 00"),
}
for label, (make, allowed) in COPIES.items():
    @case(53, label, allowed, alone=True)
    def extended_copy(bench, make=make):
        session = bench.open()
        data = make(own_name(session), bench.lba)
        message, _ = carry_out(session, parameter(XCOPY, 10, len(data), 4), data)
        if message.sense == INVALID_OPCODE:
            raise NotApplicable("EXTENDED COPY is not offered")
        return bench.with_life(session, str(message))
