# SPDX-License-Identifier: Apache-2.0
"""Classes 3 to 6, 21 to 27, 35 and 44: headers, flags, tags and numbers in full feature phase."""
import time

from cases import CLOSE, GOOD, REJECT_AND_CLOSE, TEST_UNIT_READY, NotApplicable, case, numbers, read_10, write_10
from wire import (
    COMMAND, DATA_OUT, FINAL, IMMEDIATE, NONE, NOP_OUT, R2T, READ, SIMPLE, SNACK, TASK_MANAGEMENT, TEXT, WRITE,
    lun_field, pdu,
)

SILENT_CLOSE = r"close after ([3-9]\d|10\d) s"


# 3, 44: silence

def wait_for_close(session, begun, limit=112):
    """Answers nothing, not even pings."""
    closed = session.is_closed_within(limit)
    return f"{'close' if closed else 'open'} after {time.monotonic() - begun:.0f} s"


PARTS = {"half a header": (24, b""), "a header without its data": (48, bytes(4096)),
         "half of the data": (2000, bytes(4096))}
for label, (count, data) in PARTS.items():
    @case(3, label, SILENT_CLOSE, slow=115)
    def part_of_a_pdu(bench, count=count, data=data):
        session = bench.open(source=bench.setup.second_source)
        session.send(pdu(NOP_OUT | IMMEDIATE, FINAL, data, itt=5, words=(NONE, *numbers(session)))[:count])
        return wait_for_close(session, time.monotonic())


@case(44, "pings without an answer", SILENT_CLOSE, slow=115)
def no_answers(bench):
    session = bench.open(source=bench.setup.second_source)
    return wait_for_close(session, time.monotonic())


@case(44, "a reset in the middle of a write frees the session", "logged in again")
def reset(bench):
    session = bench.open()
    session.send_command(write_10(bench.lba, 8), expected=4096, flags=FINAL | WRITE | SIMPLE)
    session.reset()
    bench.open(isid=session.isid)
    return "logged in again"


# 4, 5: AHS

MALFORMED = f"Reject 09|Reject 0[45]|{CLOSE}|Reject 09, then closed"
HEADERS = {
    "255 words of zeros": (bytes(1020), MALFORMED), "a length of 0": (bytes.fromhex("00000100"), MALFORMED),
    "a length beyond the end": (bytes.fromhex("0040010011223344"), MALFORMED),
    "an unknown type": (bytes.fromhex("00053f0011223344") + bytes(4), MALFORMED),
    "an extended CDB of 32 bytes": (bytes.fromhex("00110100") + bytes(16), r"Reject 0[59]|.*5/2[04]/00"),
    "an extended CDB of 260 bytes": (bytes.fromhex("00f50100") + bytes(244), r"Reject 0[59]|.*5/2[04]/00"),
    "a bidirectional length": (bytes.fromhex("0005020000001000") + bytes(4), r"Reject 0[59]|.*5/24/00"),
}
for label, (ahs, allowed) in HEADERS.items():
    @case(4, label, allowed)
    def additional_header(bench, ahs=ahs, label=label):
        session = bench.open()
        cdb = b"\x7f" if "CDB" in label else read_10(bench.lba, 1)
        both = WRITE if "bidirectional" in label else 0
        task = session.send_command(cdb, expected=512, flags=FINAL | READ | both | SIMPLE, ahs=ahs)
        return bench.observe(session, task)


@case(4, "255 words announced, 100 bytes sent, then the end", CLOSE)
def short_header(bench):
    session = bench.open()
    session.send(pdu(COMMAND, FINAL | READ | SIMPLE, itt=5, lun=session.lun, ahs=bytes(100), ahs_words=255,
                     words=(512, *numbers(session), read_10(0, 1))))
    session.socket.shutdown(1)
    return bench.closes(session)


ELSEWHERE = {
    "NOP-Out": (NOP_OUT, b"", (NONE,), f"NOP-In|Reject 0[459]|{CLOSE}"),
    "Text": (TEXT, b"SendTargets=All\0", (NONE,), f"Text Response|Reject 0[459]|{CLOSE}"),
    "task management": (TASK_MANAGEMENT, b"", (NONE,), f"TMF Response 0[015]|Reject 0[459]|{CLOSE}"),
    "SNACK": (SNACK, b"", (NONE,), f"Reject 0[3459]|{CLOSE}"),
}
for label, (opcode, data, words, allowed) in ELSEWHERE.items():
    @case(5, label, allowed)
    def header_elsewhere(bench, opcode=opcode, data=data, words=words):
        session, task = bench.open(), None
        task = session.task()
        flags = 0x81 if opcode == TASK_MANAGEMENT else FINAL
        session.send_pdu(opcode | IMMEDIATE, flags, data, itt=task, ahs=bytes.fromhex("0005010011223344") + bytes(4),
                         lun=session.lun, words=(*words, *numbers(session)))
        return bench.observe(session, None if opcode == SNACK else task)


# 6: too long

LENGTHS = {"one more than declared": 1, "four more than declared": 4, "16777215": None}
for label, more in LENGTHS.items():
    for name, opcode in {"NOP-Out": NOP_OUT, "a command": COMMAND, "Text": TEXT, "Data-Out": DATA_OUT}.items():
        @case(6, f"{name}: {label}", REJECT_AND_CLOSE)
        def too_long(bench, more=more, opcode=opcode):
            session = bench.open()
            length = 0xFFFFFF if more is None else int(session.keys["MaxRecvDataSegmentLength"]) + more
            flags = FINAL | SIMPLE | WRITE if opcode == COMMAND else FINAL
            words = (length, *numbers(session), write_10(bench.lba, 8)) if opcode == COMMAND else (
                NONE, *numbers(session))
            immediate = IMMEDIATE if opcode in (NOP_OUT, TEXT) else 0
            data = bytes(min(length, 1 << 20))
            session.send_pdu(opcode | immediate, flags, data, itt=session.task(), lun=session.lun, words=words,
                             length=length)
            return bench.closes(session).replace("Reject 04", "Reject 04, then closed")


# 21: opcodes

UNKNOWN = [*range(0x07, 0x10), *range(0x11, 0x20), *range(0x20, 0x40)]


@case(21, f"{len(UNKNOWN)} opcodes on one connection", "all Reject 05 with the header")
def opcodes(bench):
    session = bench.open()
    for opcode in UNKNOWN:
        sent = pdu(opcode | IMMEDIATE, FINAL, itt=0x1000 + opcode, words=(NONE, *numbers(session)))
        session.send(sent)
        answer = session.receive()
        if answer is None:
            return f"closed at opcode {opcode:02x}"
        if str(answer) != "Reject 05":
            return f"opcode {opcode:02x}: {answer}"
        if answer.data[:48] != sent or answer.itt != NONE:
            return f"opcode {opcode:02x}: the Reject has another header or tag"
    return bench.with_life(session, "all Reject 05 with the header")


# 22: flags

FLAGS = {
    "reserved bits of a command": (TEST_UNIT_READY, FINAL | 0x18 | SIMPLE, 0, GOOD),
    "an unknown task attribute": (TEST_UNIT_READY, FINAL | 7, 0, GOOD + r"|Reject 0[49]|.*5/24/00"),
    "no F and no W": (TEST_UNIT_READY, SIMPLE, 0, GOOD + "|Reject 04"),
    "R and W": (b"\x28" + bytes(7) + b"\x01\0", FINAL | READ | WRITE | SIMPLE, 512, r".*5/24/00|Reject 0[45]"),
}
for label, (cdb, flags, expected, allowed) in FLAGS.items():
    @case(22, label, allowed)
    def strange_flags(bench, cdb=cdb, flags=flags, expected=expected):
        session = bench.open()
        session.run(TEST_UNIT_READY)
        task = session.send_command(cdb, flags=flags, expected=expected)
        return bench.observe(session, task)


@case(22, "reserved bytes of NOP-Out", "NOP-In")
def reserved_bytes(bench):
    session = bench.open()
    task = session.task()
    session.send_pdu(NOP_OUT | IMMEDIATE, 0xFF, itt=task, bytes_2_3=b"\xff\xff", words=(NONE, *numbers(session)))
    return bench.observe(session, task)


# 23, 24: tags

def pending_write(bench, session, count=8, immediate=False):
    """A write that waits for its data. Returns tag and R2T."""
    task = session.send_command(write_10(bench.lba, count), expected=count * 512, flags=FINAL | WRITE | SIMPLE,
                                immediate=immediate)
    message, _ = session.expect(task)
    if message.sense and message.sense[0] == 6:
        return pending_write(bench, session, count, immediate)
    if message.opcode != R2T:
        raise NotApplicable(f"a write without data: {message}")
    return task, message


@case(23, "a second command with the tag of a write", "Reject 07, the write is GOOD")
def tag_in_use(bench):
    session = bench.open()
    task, r2t = pending_write(bench, session)
    session.send_command(TEST_UNIT_READY, task=task)
    outcome = str(session.receive())
    session.answer_r2t(r2t, bytes(4096))
    message, _ = session.expect(task)
    return f"{outcome}, the write is {'GOOD' if str(message) == GOOD.split('|')[0] else message}"


@case(24, "a command with tag FFFFFFFF", "Reject 09")
def reserved_tag(bench):
    session = bench.open()
    session.send_command(TEST_UNIT_READY, task=NONE)
    return bench.observe(session)


# 25 to 27: the window

OUTSIDE = {"one too low": lambda s: s.command_number - 1, "one above MaxCmdSN": lambda s: s.largest_command + 1,
           "far away": lambda s: s.command_number + (1 << 31) - 1, "1000 too low": lambda s: s.command_number - 1000}
for label, number_of in OUTSIDE.items():
    @case(25, label, "ignored")
    def outside(bench, number_of=number_of):
        session = bench.open()
        session.run(TEST_UNIT_READY)
        session.send_command(TEST_UNIT_READY, number=number_of(session) & NONE)
        return bench.observe(session)


@case(25, "the wrap at FFFFFFFF", "20 commands GOOD")
def wrap(bench):
    session = bench.open(first_command=NONE - 9)
    session.run(TEST_UNIT_READY)
    good = sum(session.run(TEST_UNIT_READY)[0].header[3] == 0 for _ in range(20))
    return f"{good} commands GOOD"


@case(26, "300 immediate writes that wait for data", "one answer each, some Reject 06")
def immediate_flood(bench):
    session = bench.open()
    session.run(TEST_UNIT_READY)
    tasks = {session.send_command(write_10(bench.lba, 1), expected=512, flags=FINAL | WRITE | SIMPLE, immediate=True)
             for _ in range(300)}
    answered, rejected = set(), 0
    while len(answered) + rejected < len(tasks):
        try:
            message = session.receive(3)
        except TimeoutError:
            return f"{len(answered)} R2Ts and {rejected} Rejects for {len(tasks)}"
        if message is None:
            return CLOSE
        if str(message) == "Reject 06":
            rejected += 1
        elif message.opcode == R2T or str(message) in ("SCSI Response status 28", "SCSI Response status 08"):
            answered.add(message.itt)
        else:
            return f"an unexpected {message}"
    if not rejected:
        return f"{len(answered)} accepted without a limit"
    return bench.with_life(session, "one answer each, some Reject 06")


@case(27, "a window of writes without data, and 2000 commands more", "none of them answered")
def beyond_window(bench):
    session = bench.open()
    session.run(TEST_UNIT_READY)
    window = (session.largest_command - session.command_number + 1) & NONE
    if window > 4096:
        raise NotApplicable(f"a window of {window} commands")
    for _ in range(window):
        session.send_command(write_10(bench.lba, 1), expected=512, flags=FINAL | WRITE | SIMPLE)
    before = set(range(session.next_task + 1))
    for _ in range(2000):
        session.send_command(TEST_UNIT_READY)
    messages, closed = session.drain(1.5)
    late = [message for message in messages if message.itt not in before]
    if closed or late:
        return f"{late[0]} for a command beyond the window" if late else CLOSE
    return "none of them answered" if session.is_alive() else "no answer to a ping"


# 35: task management

def manage(session, function, *, reference=NONE, reference_number=0, lun=None):
    task = session.task()
    session.send_pdu(TASK_MANAGEMENT | IMMEDIATE, 0x80 | function, itt=task, lun=session.lun if lun is None else lun,
                     words=(reference, *numbers(session), reference_number))
    return task


FUNCTIONS = {
    "an unknown function": (dict(function=0x3F), "TMF Response 05|TMF Response ff"), "function 0": (
        dict(function=0), "TMF Response 05|TMF Response ff"),
    "ABORT TASK of nothing": (dict(function=1, reference=0x77777777, reference_number=1), "TMF Response 01"),
    "CLEAR ACA": (dict(function=3), "TMF Response 05"), "TASK REASSIGN": (dict(function=8), "TMF Response 04"),
    "LU RESET of a LUN that is not there": (dict(function=5, lun=lun_field(200)), "TMF Response 02"),
    "ABORT TASK of a LUN that is not there": (dict(function=1, reference=5, lun=lun_field(200)),
                                              "TMF Response 0[12]"),
}
for label, (request, allowed) in FUNCTIONS.items():
    @case(35, label, allowed)
    def task_management(bench, request=request):
        session = bench.open()
        return bench.observe(session, manage(session, **request))


@case(35, "ABORT TASK of itself", "TMF Response 01|TMF Response 05|Reject 0[49]")
def abort_itself(bench):
    session = bench.open()
    return bench.observe(session, manage(session, 1, reference=session.next_task + 1))


@case(35, "500 at once", "each answered")
def management_flood(bench):
    session = bench.open()
    for _ in range(500):
        manage(session, 1, reference=0x77777777)
    messages, closed = session.drain(1.5)
    answers = sum(str(message) in ("TMF Response 01", "Reject 06") for message in messages)
    return "each answered" if answers == 500 and not closed else f"{answers} of 500 answers"
