# SPDX-License-Identifier: Apache-2.0
"""Classes 37 to 43 and 54: text, logout, pings, SNACK, digests and discovery."""
import struct

from cases import CLOSE, DATA_ERROR, NOTHING_WRITTEN, TEST_UNIT_READY, NotApplicable, case, numbers, write_10
from rows_pdu import manage, pending_write
from wire import FINAL, IMMEDIATE, LOGOUT, NONE, NOP_OUT, SIMPLE, SNACK, TEXT, WRITE


# 37: text

def text_request(session, data, *, ttt=NONE, flags=FINAL, task=None):
    task = session.task() if task is None else task
    session.send_pdu(TEXT | IMMEDIATE, flags, data, itt=task, words=(ttt, *numbers(session)))
    return task


@case(37, "SendTargets of 1 MiB in fragments", r"(Reject 0[49]|close)(, then closed)?.*")
def huge_text(bench):
    session, ttt = bench.open(), NONE
    task = session.task()
    for number in range(128):
        piece = b"SendTargets=".ljust(8192, b"A") if number == 0 else b"A" * 8192
        text_request(session, piece, ttt=ttt, flags=0x40, task=task)
        message = session.receive()
        if message is None:
            return CLOSE
        if message.itt != task:
            return bench.with_life(session, str(message))
        ttt = message.ttt
    return "1 MiB taken"


@case(37, "a fragment without data", "Reject 04")
def empty_text(bench):
    session = bench.open()
    return bench.observe(session, text_request(session, b"", flags=0x40))


@case(37, "an unknown transfer tag", "Reject 0[49]")
def unknown_transfer(bench):
    session = bench.open()
    return bench.observe(session, text_request(session, b"", ttt=0x12345678))


WRONG_QUESTIONS = ("SendTargets=A", "SendTargets=Alle", "SendTargetsPlease=All", "sENDtARGETS=aLL")
for question in WRONG_QUESTIONS:
    @case(37, question, "Reject 09")
    def send_targets(bench, question=question):
        session = bench.open()
        return bench.observe(session, text_request(session, f"{question}\0".encode()))


@case(37, "wrong questions, one after the other, then the right one", "Text Response")
def questions(bench):
    session = bench.open()
    for question in WRONG_QUESTIONS:
        outcome = bench.observe(session, text_request(session, f"{question}\0".encode()))
        if outcome != "Reject 09":
            return f"{question}: {outcome}"
    outcome = bench.observe(session, text_request(session, b"SendTargets=All\0"))
    return outcome if outcome == "Text Response" else f"then {outcome}"


@case(37, "an exchange begun in the middle of another", "Text Response")
def second_exchange(bench):
    session = bench.open()
    text_request(session, b"SendTargets=", flags=0x40)
    session.receive()
    return bench.observe(session, text_request(session, b"SendTargets=All\0"))


# 38: logout

def logout(session, reason, connection=0):
    task = session.task()
    session.send_pdu(LOGOUT | IMMEDIATE, 0x80 | reason, itt=task, words=(
        struct.pack(">H2x", connection), *numbers(session)))
    return task


@case(38, "a connection that is not there", "Logout Response 01")
def wrong_connection(bench):
    session = bench.open()
    return bench.observe(session, logout(session, 1, 99))


@case(38, "removal for recovery", "Logout Response 02")
def recovery(bench):
    session = bench.open()
    return bench.observe(session, logout(session, 2))


@case(38, "an unknown reason", "Reject 0[49]|Logout Response 0[23]")
def unknown_reason(bench):
    session = bench.open()
    return bench.observe(session, logout(session, 0x55))


@case(38, "during writes", "Logout Response 00, then closed")
def logout_during_writes(bench):
    session = bench.open()
    session.run(TEST_UNIT_READY)
    for _ in range(10):
        session.send_command(write_10(bench.lba, 8), expected=4096, flags=FINAL | WRITE | SIMPLE)
    message, _ = session.expect(logout(session, 0))
    return f"{message}, then {'closed' if session.is_closed_within(5) else 'open'}"


@case(38, "twice", "Logout Response 00, then closed")
def logout_twice(bench):
    session = bench.open()
    first = logout(session, 0)
    logout(session, 0)
    messages, closed = session.drain(4)
    answer = messages[0] if messages and messages[0].itt == first else f"{len(messages)} answers"
    return f"{answer}, then {'closed' if closed else 'open'}"


# 39, 40

PINGS = {
    "an answer to no ping": (NONE, 0x1234, "ignored"), "neither tag": (NONE, NONE, "ignored"),
    "both tags": (0x55, 0x1234, "NOP-In|ignored|no answer|Reject 0[49]"),
}
for label, (task, ttt, allowed) in PINGS.items():
    @case(39, label, allowed)
    def ping(bench, task=task, ttt=ttt):
        session = bench.open()
        session.send_pdu(NOP_OUT | IMMEDIATE, FINAL, b"data", itt=task, words=(ttt, *numbers(session)))
        return bench.observe(session, None if task == NONE else task, wait=2)


for kind in range(4):
    @case(40, f"type {kind}", "Reject 04")
    def snack(bench, kind=kind):
        session = bench.open()
        session.send_pdu(SNACK | IMMEDIATE, FINAL | kind, itt=session.task(), words=(
            NONE, 0, session.status_number, 0, 0, 1))
        return bench.observe(session)


# 41 to 43: digests

def with_digests(bench, header="CRC32C", data="None"):
    session = bench.open(offer={"HeaderDigest": header, "DataDigest": data})
    if session.digests != (header == "CRC32C", data == "CRC32C"):
        raise NotApplicable("the target does not agree to the digest")
    return session


@case(41, "of a command", CLOSE)
def header_digest(bench):
    session = with_digests(bench)
    session.send_command(TEST_UNIT_READY, spoil="header")
    return bench.closes(session)


@case(41, "of NOP-Out", CLOSE)
def header_digest_of_ping(bench):
    session = with_digests(bench)
    session.send_pdu(NOP_OUT | IMMEDIATE, FINAL, itt=5, words=(NONE, *numbers(session)), spoil="header")
    return bench.closes(session)


REJECTED_DATA = r"Reject 02( \+ SCSI Response status 02 b/47/05)?|" + DATA_ERROR + f"|{CLOSE}"


@case(42, "of immediate data", f"({REJECTED_DATA}){NOTHING_WRITTEN}")
def data_digest(bench):
    bench.fill(1)
    session = with_digests(bench, "None", "CRC32C")
    session.run(TEST_UNIT_READY)
    task = session.send_command(write_10(bench.lba, 1), expected=512, data=b"x" * 512, spoil="data")
    return bench.with_blocks(bench.observe(session, task), count=1)


@case(42, "of Data-Out", f"({REJECTED_DATA}){NOTHING_WRITTEN}")
def data_digest_of_data(bench):
    bench.fill(8)
    session = with_digests(bench, "None", "CRC32C")
    task, r2t = pending_write(bench, session)
    session.send_data(task, b"x" * 4096, ttt=r2t.ttt, spoil="data")
    return bench.with_blocks(bench.observe(session, task), count=8)


@case(42, "of Text and NOP-Out", f"Reject 02|{CLOSE}")
def data_digest_of_others(bench):
    for opcode in (TEXT, NOP_OUT):
        session = with_digests(bench, "None", "CRC32C")
        session.send_pdu(opcode | IMMEDIATE, FINAL, b"SendTargets=All\0", itt=session.task(),
                         words=(NONE, *numbers(session)), spoil="data")
        outcome = bench.observe(session)
        if outcome not in ("Reject 02", CLOSE):
            break
    return outcome


@case(43, "a command without the agreed digest", CLOSE)
def without_digest(bench):
    session = with_digests(bench)
    session.digests = (False, False)
    session.send_command(TEST_UNIT_READY)
    session.send_command(TEST_UNIT_READY)
    return bench.closes(session)


# 54: discovery

DISCOVERY = {"a command": "Reject 04", "task management": "Reject 04", "Data-Out": "Reject 04|ignored"}
for label, allowed in DISCOVERY.items():
    @case(54, label, f"({allowed}|{CLOSE})")
    def discovery(bench, label=label):
        session = bench.open(discovery=True)
        if label == "a command":
            session.send_command(TEST_UNIT_READY, immediate=True)
        elif label == "Data-Out":
            session.send_data(5, bytes(512))
        else:
            manage(session, 1, reference=5)
        task = text_request(session, b"SendTargets=All\0")
        first = session.receive()
        if first is None:
            return CLOSE
        return "ignored" if first.itt == task else str(first)
