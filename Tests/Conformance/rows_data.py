# SPDX-License-Identifier: Apache-2.0
"""Classes 28 to 34: lengths and the data of writes."""
import time

from cases import BLOCK, CLOSE, DATA_ERROR, GOOD, NOTHING_WRITTEN, NotApplicable, case, read_10, write_10
from rows_pdu import manage, pending_write
from wire import DATA_OUT, FINAL, NONE, R2T, READ, REJECT, SIMPLE, WRITE, WireError, lun_field, pdu

PLAIN_WRITE = FINAL | WRITE | SIMPLE
# A task that is refused or failed; after a protocol error the connection may end, too.
FAILED = f"{DATA_ERROR}|Reject 0[49](, then closed)?|{CLOSE}"
REFUSED_DATA = f"({FAILED}){NOTHING_WRITTEN}"


# 28: expected lengths

LENGTHS = {"a read that expects nothing": (0, 1), "a read that expects 4 GiB": (0xFFFFFFFF, 1),
           "a read that expects half a block": (200, 1), "a read of nothing that expects 4 GiB": (0xFFFFFFFF, 0)}
for label, (expected, count) in LENGTHS.items():
    @case(28, label, GOOD)
    def read_length(bench, expected=expected, count=count):
        session = bench.open()
        task = session.send_command(read_10(bench.lba, count), expected=expected, flags=FINAL | READ | SIMPLE)
        message, data = session.expect(task)
        if len(data) > min(expected, count * BLOCK):
            return f"{len(data)} bytes"
        flags = message.flags & 6
        due = 4 if expected < count * BLOCK else 2
        residual = message.word(44)
        if flags != due or residual != abs(expected - count * BLOCK):
            return f"{message} with flags {flags:x} and residual {residual}"
        return bench.with_life(session, str(message))


@case(28, "a write of a block that announces 4 GiB", "R2T for 512 bytes at most|SCSI Response status 02 5/.*")
def write_length(bench):
    session = bench.open()
    task = session.send_command(write_10(bench.lba, 1), expected=0xFFFFFFFF, flags=PLAIN_WRITE)
    message, _ = session.expect(task)
    if message.opcode == R2T:
        return "R2T for 512 bytes at most" if message.word(44) <= 512 else f"R2T for {message.word(44)} bytes"
    return str(message)


@case(28, "64 writes of 8 MiB that announce 4 GiB and send nothing", "alive")
def many_lengths(bench):
    """What they cost is seen in the process's memory."""
    session = bench.open()
    for _ in range(64):
        session.send_command(write_10(bench.lba, 16384), expected=0xFFFFFFFF, flags=PLAIN_WRITE)
    time.sleep(0.5)
    return "alive" if session.is_alive() else "no answer to a ping"


# 29, 30: immediate and unsolicited data

def with_data(bench, session, count, data, expected=None, flags=PLAIN_WRITE, then=()):
    """A write with data that must not come like this; the blocks around it are looked at, too."""
    task = session.send_command(write_10(bench.lba, count), expected=count * BLOCK if expected is None else expected,
                                data=data, flags=flags)
    for offset, piece, final in then:
        session.send_data(task, piece, offset=offset, number=0, final=final)
    return bench.with_blocks(bench.observe(session, task))


@case(29, "ImmediateData=No", REFUSED_DATA)
def no_immediate(bench):
    bench.fill()
    session = bench.open(offer={"ImmediateData": "No"})
    return with_data(bench, session, 1, b"x" * 512)


@case(29, "more than FirstBurstLength", REFUSED_DATA)
def long_immediate(bench):
    bench.fill()
    session = bench.open(offer={"FirstBurstLength": "512"})
    return with_data(bench, session, 8, b"x" * 4096)


@case(29, "more than announced", REFUSED_DATA)
def more_than_announced(bench):
    bench.fill()
    return with_data(bench, bench.open(), 8, b"x" * 4096, expected=512)


@case(29, "with a command that writes nothing", f"{FAILED}|{GOOD}")
def data_with_read(bench):
    session = bench.open()
    task = session.send_command(bytes(6), data=b"x" * 512, flags=FINAL | SIMPLE)
    return bench.observe(session, task)


# The R2T may have been on its way.
@case(30, "InitialR2T=Yes", f"(R2T \\+ )?{REFUSED_DATA}")
def unsolicited(bench):
    bench.fill()
    session = bench.open(offer={"InitialR2T": "Yes"})
    return with_data(bench, session, 8, b"", flags=WRITE | SIMPLE, then=[(0, b"x" * 4096, True)])


@case(30, "more than FirstBurstLength", REFUSED_DATA)
def long_unsolicited(bench):
    bench.fill()
    session = bench.open(offer={"FirstBurstLength": "1024"})
    if session.keys["InitialR2T"] != "No":
        raise NotApplicable("the target wants R2Ts")
    return with_data(bench, session, 8, b"", flags=WRITE | SIMPLE, then=[(0, b"x" * 4096, True)])


@case(30, "beyond what was announced", REFUSED_DATA)
def unsolicited_overflow(bench):
    bench.fill()
    session = bench.open()
    if session.keys["InitialR2T"] != "No":
        raise NotApplicable("the target wants R2Ts")
    return with_data(bench, session, 8, b"", flags=WRITE | SIMPLE, then=[(0, b"x" * 8192, True)])


# 31, 32: Data-Out

def piece(data=b"x" * 4096, ttt=None, **options):
    return {"data": data, "ttt": ttt, **options}


SEQUENCES = {
    "another transfer tag": [piece(ttt=0x7A7A7A7A)],
    "another LUN": [piece(lun=lun_field(9))],
    "an offset beyond the end": [piece(offset=1 << 20)],
    "an offset of 4 GiB less 512": [piece(offset=0xFFFFFE00)],
    "an offset that goes back": [piece(b"x" * 2048, final=False), piece(b"x" * 2048, number=1, offset=0)],
    "overlapping": [piece(b"x" * 2048, final=False), piece(b"x" * 3072, number=1, offset=1024)],
    "a gap": [piece(b"x" * 1024, final=False), piece(b"x" * 2048, number=1, offset=2048)],
    "longer than asked for": [piece(b"x" * 16384)],
    "the end too early": [piece(b"x" * 1024)],
    "nothing, and the end": [piece(b"")],
    "no end": [piece(final=False), piece(b"", number=1, offset=4096)],
    "more after the end": [piece(final=False), piece(b"x" * 4096, number=1, offset=4096)],
}
NUMBERS = {
    "0, 0": (0, 0), "27": (27,), "-1": (NONE,), "1, 0": (1, 0), "0, 2": (0, 2), "1": (1,),
}


def send_sequence(bench, pieces):
    bench.fill()
    session = bench.open()
    task, r2t = pending_write(bench, session)
    for one in pieces:
        session.send_data(task, **{**one, "ttt": r2t.ttt if one["ttt"] is None else one["ttt"]})
    return session, task


for label, pieces in SEQUENCES.items():
    # All the data is there and in order; that the end is said late changes nothing, so it may also be taken.
    written = f"|({GOOD}), 8 BLOCKS WRITTEN" if label == "no end" else ""
    # It may belong to a task that is gone.
    dropped = f"|no answer{NOTHING_WRITTEN}" if label in ("another transfer tag", "another LUN") else ""

    @case(31, label, REFUSED_DATA + written + dropped)
    def sequence(bench, pieces=pieces, label=label):
        session, task = send_sequence(bench, pieces)
        wait = 1.5 if label in ("another transfer tag", "another LUN") else 4
        outcome = bench.observe(session, task, wait)
        return bench.with_blocks(outcome)


for label, order in NUMBERS.items():
    @case(32, f"DataSN {label}", REFUSED_DATA)
    def data_numbers(bench, order=order):
        length = 4096 // len(order)
        pieces = [piece(b"x" * length, number=number, offset=index * length, final=index == len(order) - 1)
                  for index, number in enumerate(order)]
        session, task = send_sequence(bench, pieces)
        return bench.with_blocks(bench.observe(session, task))


@case(31, "an unknown task", "ignored|Reject 0[49]")
def unknown_task(bench):
    session = bench.open()
    session.send_data(0x70707070, b"x" * 512, ttt=0x1234)
    return bench.observe(session)


@case(31, "100000 empty ones of an unknown task", f"ignored|{CLOSE}|(Reject 0[49]( \\+ )?)+(, then closed)?")
def empty_ones(bench):
    session = bench.open()
    words = (NONE, 0, session.status_number, 0, 0, 0)
    batch = pdu(DATA_OUT, 0, itt=0x70707070, lun=session.lun, words=words) * 1000
    for _ in range(100):
        if not session.send(batch):
            return CLOSE
    return bench.observe(session, wait=10)


@case(31, "20000 empty ones of a write", f"{FAILED}|{GOOD}|SCSI Response status 02 .*")
def empty_ones_of_a_write(bench):
    session = bench.open()
    task, r2t = pending_write(bench, session)
    for number in range(20000):
        if not session.send_data(task, b"", ttt=r2t.ttt, number=number, final=False):
            return CLOSE
    session.send_data(task, bytes(4096), ttt=r2t.ttt, number=20000)
    return bench.observe(session, task, 10)


# 33, 34: data that does not come, and data that comes too late

@case(33, "the rest goes on, and the task can be aborted", "kept, aborted by TMF Response 00")
def starved(bench):
    session = bench.open()
    task, _ = pending_write(bench, session)
    time.sleep(1)
    if bench.with_life(session, "") or not session.is_alive():
        return "the connection does not go on"
    if any(message.itt == task for message in session.unexpected):
        return "the task has ended"
    return f"kept, aborted by {session.expect(manage(session, 1, reference=task))[0]}"


@case(33, "600 writes of 1 MiB without data", "alive", alone=True)
def many_starved(bench):
    sessions = [bench.open() for _ in range(6)]
    for session in sessions:
        for _ in range(100):
            session.send_command(write_10(bench.lba, 2048), expected=1 << 20, flags=PLAIN_WRITE)
    time.sleep(1)
    alive = [session.is_alive() for session in sessions]
    try:
        message = bench.open().write_out(write_10(bench.lba, 128), bytes(128 * BLOCK))
    except TimeoutError:
        return "a write of another session waits for the memory of these"
    except WireError as error:
        return f"another session: {error}"
    return "alive" if all(alive) and message.header[3] == 0 else f"{alive}, {message}"


@case(34, "after ABORT TASK", f"TMF Response 00, (ignored|Reject 0[49]){NOTHING_WRITTEN}")
def after_abort(bench):
    bench.fill()
    session = bench.open()
    task, r2t = pending_write(bench, session)
    answer, _ = session.expect(manage(session, 1, reference=task))
    session.send_data(task, b"x" * 4096, ttt=r2t.ttt)
    return bench.with_blocks(f"{answer}, {bench.observe(session)}")


@case(34, "after LU RESET", f"TMF Response 00, (ignored|Reject 0[49]){NOTHING_WRITTEN}", alone=True)
def after_reset(bench):
    bench.fill()
    session = bench.open()
    task, r2t = pending_write(bench, session)
    answer, _ = session.expect(manage(session, 5))
    session.send_data(task, b"x" * 4096, ttt=r2t.ttt)
    return bench.with_blocks(f"{answer}, {bench.observe(session)}")


@case(34, "together with the ABORT TASK, 50 times", "no answer is missing, nothing is half written")
def abort_race(bench):
    """Either the write is done, or it is aborted and has written nothing."""
    bench.fill(8, b"\x11")
    session = bench.open()
    for number in range(50):
        task, r2t = pending_write(bench, session)
        session.send_data(task, bytes([number + 32]) * 4096, ttt=r2t.ttt)
        abort, statuses = manage(session, 1, reference=task), {}
        while abort not in statuses:
            message = session.receive()
            if message is None or message.opcode == REJECT:
                return f"{message}"
            statuses[message.itt] = str(message)
        if statuses[abort] == "TMF Response 01" and task not in statuses:
            message, _ = session.expect(task)
            statuses[task] = str(message)
        if statuses[abort] == "TMF Response 00" and task in statuses:
            return "TMF Response 00, although the write was answered"
    data = bench.blocks(8)
    whole = data == data[:1] * 4096
    return "no answer is missing, nothing is half written" if whole else "a write is there by half"
