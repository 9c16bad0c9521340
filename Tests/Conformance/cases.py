# SPDX-License-Identifier: Apache-2.0
"""How a case of the malformed classes is written down, carried out and judged.

A case is a function that misbehaves and returns what the target did, in words; `allowed` is a regular expression for
the words that are right. All observing is done here, so that every case means the same by the same words.
"""
import contextlib, dataclasses, itertools, re, time

from session import LoginRefused, Session
from wire import ASYNC, IMMEDIATE, NONE, NOP_IN, NOP_OUT, FINAL, REJECT, Connection, WireError

CASES = []
# Of answers that several classes allow.
CLOSE = "close"
REJECT_AND_CLOSE = "close|Reject 04|Reject 04, then closed"
GOOD = "SCSI Response status 00|Data-In"
DATA_ERROR = r"SCSI Response status 02 b/(47/05|4b/00|0c/0d)"
REFUSED = "Login Response 0200"
NOTHING_WRITTEN = ", nothing written"
BLOCK = 512
TEST_UNIT_READY = bytes(6)


class NotApplicable(Exception):
    """The target lacks what the case is about, and says so properly; or the case needs an option."""


@dataclasses.dataclass
class Case:
    row: int
    name: str
    allowed: str
    act: callable
    # Seconds that it takes by its nature; it runs beside the others then.
    slow: int = 0
    # It resets the logical unit, reserves it or writes anywhere: nothing else runs meanwhile, and no watchdog on the
    # same volume.
    alone: bool = False


def case(row, name, allowed, **options):
    def register(act):
        CASES.append(Case(row, name, allowed, act, **options))
        return act
    return register


class Bench:
    """What one case works with; everything that it opens is closed after it."""
    areas = itertools.count(4096, 2048)

    def __init__(self, setup):
        self.setup, self.stack = setup, contextlib.ExitStack()
        self.address = setup.address
        # Blocks of its own to write to.
        self.lba = next(Bench.areas)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def tcp(self, **options):
        return self.stack.enter_context(Connection(self.address, **options))

    def open(self, **options):
        """Logged in, and told all that is to be told to a new nexus before anything else."""
        options.setdefault("address", self.address)
        session = self.stack.enter_context(Session(options.pop("address"), **options))
        if options.get("log_in", True) and not options.get("discovery"):
            session.run(TEST_UNIT_READY, retries=10)
        return session

    def login(self, **options):
        """Connected, and nothing sent yet."""
        return self.open(log_in=False, **options)

    # Observing

    def observe(self, session, task=None, wait=4):
        """What the target does: answers to `task`, Rejects, a close; and whether it goes on working after that."""
        ping = session.task()
        session.send_pdu(NOP_OUT | IMMEDIATE, FINAL, b"are you there", itt=ping,
                         words=(NONE, session.command_number, session.status_number))
        seen, has_answered, end = [], False, time.monotonic() + wait
        try:
            while not (has_answered and (seen or task is None)):
                message = session.receive(max(0.01, end - time.monotonic()))
                if message is None:
                    return ", ".join([*seen, "then closed"]) if seen else CLOSE
                if message.itt == ping and message.opcode == NOP_IN:
                    has_answered = True
                elif message.opcode == REJECT or message.itt == task:
                    seen.append(str(message))
                elif message.opcode != ASYNC:
                    return f"an unexpected {message}"
        except TimeoutError:
            if not has_answered:
                return ", ".join([*seen, "then no answer to a ping"])
            return "no answer"
        except WireError as error:
            return f"{error}"
        return self.with_life(session, " + ".join(seen) or "ignored")

    @staticmethod
    def with_life(session, outcome):
        """A command in order must still be answered: whatever was ignored or refused has moved no window."""
        try:
            message, _ = session.run(TEST_UNIT_READY, timeout=4)
        except TimeoutError:
            return f"{outcome}, then no answer to a command"
        except WireError:
            return f"{outcome}, then closed"
        return outcome if message.header[3] in (0, 2, 8, 0x18) else f"{outcome}, then {message}"

    @staticmethod
    def login_outcome(session, wait=4):
        try:
            answer = session.login_answer(wait)
        except TimeoutError:
            return "no answer"
        except WireError as error:
            return str(error)
        if answer is None:
            return CLOSE
        if answer.status and not session.is_closed_within(3):
            return f"{answer}, then open"
        return str(answer)

    @staticmethod
    def log_in(session):
        """The whole login of a session that was made without; its status."""
        try:
            session.log_in()
        except LoginRefused as refused:
            return CLOSE if refused.status is None else f"Login Response {refused.status:04x}"
        return "Login Response 0000"

    @staticmethod
    def closes(connection, seconds=4):
        """For what must be closed without an answer."""
        try:
            messages, closed = connection.drain(seconds)
        except WireError as error:
            return str(error)
        if messages:
            return f"{messages[0]}"
        return CLOSE if closed else f"open after {seconds} s"

    # Blocks

    def fill(self, count=32, byte=b"\x11"):
        """Gives the case's blocks a known content, in a session of its own."""
        with Session(self.address, initiator=f"{self.setup.initiator}.fill") as session:
            message = session.write_out(write_10(self.lba, count), byte * BLOCK * count)
            if message.header[3] and message.sense and message.sense[0] == 6:
                message = session.write_out(write_10(self.lba, count), byte * BLOCK * count)
            if message.header[3]:
                raise WireError(f"preparing blocks: {message}")

    def blocks(self, count=32):
        with Session(self.address, initiator=f"{self.setup.initiator}.check") as session:
            message, data = session.run(read_10(self.lba, count), expected=count * BLOCK)
            if len(data) != count * BLOCK:
                raise WireError(f"reading blocks back: {message}")
            return data

    def with_blocks(self, outcome, byte=b"\x11", count=32):
        """Says with an outcome whether the blocks are still as `fill` left them."""
        data = self.blocks(count)
        changed = sum(data[at:at + BLOCK] != byte * BLOCK for at in range(0, len(data), BLOCK))
        return outcome + (f", {changed} BLOCKS WRITTEN" if changed else NOTHING_WRITTEN)


def numbers(session):
    """CmdSN and ExpStatSN as an immediate PDU has them."""
    return session.command_number, session.status_number


def read_10(lba, count):
    return bytes([0x28, 0]) + lba.to_bytes(4, "big") + b"\0" + count.to_bytes(2, "big") + b"\0"


def write_10(lba, count):
    return b"\x2a" + read_10(lba, count)[1:]


def carry_out(one, setup):
    """Returns (verdict, text): passed, failed or skipped."""
    try:
        with Bench(setup) as bench:
            outcome = one.act(bench)
    except NotApplicable as reason:
        return "skipped", str(reason)
    except TimeoutError:
        outcome = "no answer in time"
    except (WireError, OSError) as error:
        outcome = str(error) or type(error).__name__
    return ("passed" if re.fullmatch(one.allowed, outcome) else "failed"), outcome
