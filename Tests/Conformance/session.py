# SPDX-License-Identifier: Apache-2.0
"""A well-behaved initiator on one connection; what it sends can be replaced piece by piece."""
import contextlib, hashlib, random, struct, subprocess

from wire import (
    COMMAND, DATA_IN, DATA_OUT, FINAL, IMMEDIATE, LOGIN, LOGIN_RESPONSE, LOGOUT, LOGOUT_RESPONSE, NONE, NOP_IN,
    NOP_OUT, R2T, READ, RESPONSE, SIMPLE, WRITE, Address, Connection, WireError, lun_field, pairs,
)

INITIATOR = "iqn.2026-11.test.sluice:malformed"
CHAP_DIGESTS = {"5": hashlib.md5, "6": hashlib.sha1, "7": hashlib.sha256, "8": hashlib.sha3_256}
# What is offered unless a test says otherwise.
OFFER = {
    "HeaderDigest": "None", "DataDigest": "None", "InitialR2T": "No", "ImmediateData": "Yes",
    "MaxRecvDataSegmentLength": "262144", "MaxBurstLength": "262144", "FirstBurstLength": "65536",
    "DefaultTime2Wait": "2", "DefaultTime2Retain": "0", "MaxOutstandingR2T": "1", "MaxConnections": "1",
    "ErrorRecoveryLevel": "0", "DataPDUInOrder": "Yes", "DataSequenceInOrder": "Yes",
}


def random_isid():
    return b"\x80" + random.randbytes(5)


class LoginRefused(WireError):
    def __init__(self, status):
        super().__init__("the target closed during the login" if status is None else f"login status {status:04x}")
        self.status = status


class Session(Connection):
    """Logs in when it is made, unless `log_in` is false."""

    def __init__(self, address, *, offer=None, log_in=True, initiator=INITIATOR, isid=None, discovery=False, tsih=0,
                 first_command=None, **options):
        super().__init__(address, **options)
        self.initiator, self.isid, self.tsih = initiator, isid or random_isid(), tsih
        self.connection = 0
        self.discovery, self.offer = discovery, {**OFFER, **(offer or {})}
        self.command_number = random.getrandbits(32) if first_command is None else first_command
        self.status_number, self.next_task, self.largest_command = 0, 1, None
        self.keys, self.lun, self.unexpected = {}, lun_field(address.lun), []
        if log_in:
            try:
                self.log_in()
            except BaseException:
                self.close()
                raise

    # Login

    def names(self):
        kind = {"SessionType": "Discovery"} if self.discovery else {
            "SessionType": "Normal", "TargetName": self.address.target}
        return {"InitiatorName": self.initiator, **kind}

    def login_request(self, stages, data=b"", *, isid=None, tsih=None, versions=b"\0\0", task=1,
                      length=None):
        """`stages` is byte 1: T 80, C 40, current stage and next one."""
        rest = struct.pack(">H2xII", self.connection, self.command_number, self.status_number)
        return self.send_pdu(
            LOGIN | IMMEDIATE, stages, data, bytes_2_3=versions, itt=task, words=(rest,), length=length,
            lun=(isid or self.isid) + struct.pack(">H", self.tsih if tsih is None else tsih))

    def login_answer(self, timeout=None):
        """The Login Response, or None if the target has closed."""
        message = self.receive(timeout)
        if message is None:
            return None
        if message.opcode != LOGIN_RESPONSE:
            raise WireError(f"{message} during the login")
        if message.status == 0:
            self.take_numbers(message)
            self.keys.update(message.keys())
        return message

    def exchange(self, stages, data=b"", **options):
        self.login_request(stages, data, **options)
        answer = self.login_answer()
        if answer is None or answer.status:
            raise LoginRefused(answer and answer.status)
        return answer

    def log_in(self):
        if self.address.chap:
            self.authenticate()
        else:
            self.exchange(0x81, pairs([*self.names().items(), ("AuthMethod", "None")]))
        answer = self.exchange(0x87, pairs(self.offer.items()))
        for _ in range(8):
            if answer.flags & 0x80:
                break
            answer = self.exchange(0x87)
        else:
            raise WireError("the target does not end the login")
        self.finish_login(answer)

    def finish_login(self, answer):
        self.tsih = struct.unpack_from(">H", answer.header, 14)[0]
        self.digests = tuple(self.keys.get(key) == "CRC32C" for key in ("HeaderDigest", "DataDigest"))
        self.keys.setdefault("MaxRecvDataSegmentLength", "8192")
        for key, value in self.offer.items():
            self.keys.setdefault(key, value)

    def authenticate(self, algorithms="7,5"):
        name, secret = self.address.chap
        self.exchange(0, pairs([*self.names().items(), ("AuthMethod", "CHAP,None")]))
        keys = self.exchange(0, pairs([("CHAP_A", algorithms)])).keys()
        response = chap_response(keys, secret)
        self.exchange(0x81, pairs([("CHAP_N", name), ("CHAP_R", f"0x{response.hex()}")]))

    # Full feature phase

    def take_numbers(self, message):
        if message.opcode in (DATA_IN, R2T) and not (message.opcode == DATA_IN and message.flags & 1):
            return
        self.status_number = (message.word(24) + 1) & NONE
        self.largest_command = message.word(32)
        if message.opcode == LOGIN_RESPONSE:
            self.command_number = message.word(28)

    def task(self):
        self.next_task = self.next_task % 0x7FFFFFFF + 1
        return self.next_task

    def number(self):
        """CmdSN of the next command that is not immediate."""
        self.command_number = (self.command_number + 1) & NONE
        return (self.command_number - 1) & NONE

    def send_command(self, cdb, *, expected=0, flags=None, data=b"", task=None, number=None, immediate=False, lun=None,
                     **options):
        """Returns the task's tag."""
        if flags is None:
            flags = FINAL | SIMPLE | (WRITE if data else READ if expected else 0)
        if number is None:
            number = self.command_number if immediate else self.number()
        task = self.task() if task is None else task
        self.send_pdu(COMMAND | (IMMEDIATE if immediate else 0), flags, data, itt=task, lun=self.lun if lun is None
                      else lun, words=(expected, number, self.status_number, cdb.ljust(16, b"\0")[:16]), **options)
        return task

    def send_data(self, task, data, *, ttt=NONE, number=0, offset=0, final=True, lun=None, **options):
        words = (ttt, 0, self.status_number, 0, number, offset)
        return self.send_pdu(DATA_OUT, FINAL if final else 0, data, itt=task, words=words,
                             lun=self.lun if lun is None else lun, **options)

    def receive(self, timeout=None):
        """Answers the target's pings on the way."""
        while True:
            message = super().receive(timeout)
            if message is None or message.opcode == LOGIN_RESPONSE:
                return message
            self.take_numbers(message)
            if message.opcode != NOP_IN or message.ttt == NONE:
                return message
            self.send_pdu(NOP_OUT | IMMEDIATE, FINAL, itt=NONE, lun=message.header[8:16],
                          words=(message.ttt, self.command_number, self.status_number))

    def expect(self, task, timeout=None):
        """The answer that ends the task, and the data that came before it."""
        data = bytearray()
        while True:
            message = self.receive(timeout)
            if message is None:
                raise WireError("the target closed the connection")
            if message.itt != task:
                self.unexpected.append(message)
                continue
            if message.opcode == DATA_IN:
                data += message.data
                if not message.flags & 1:
                    continue
            return message, bytes(data)

    def run(self, cdb, *, retries=3, timeout=None, **options):
        """One command to its end, with pending unit attentions taken."""
        for _ in range(retries):
            task = self.send_command(cdb, **options)
            message, data = self.expect(task, timeout)
            if not (message.opcode == RESPONSE and message.sense and message.sense[0] == 6):
                break
        return message, data

    def write_out(self, cdb, data, **options):
        """A write of any length, by R2T; no data goes with the command."""
        task = self.send_command(cdb, expected=len(data), flags=FINAL | WRITE | SIMPLE, **options)
        while True:
            message, _ = self.expect(task)
            if message.opcode != R2T:
                return message
            self.answer_r2t(message, data)

    def answer_r2t(self, message, data):
        offset, length = message.word(40), message.word(44)
        limit, number = min(int(self.keys.get("MaxRecvDataSegmentLength", 8192)), 65536), 0
        for start in range(offset, offset + length, limit):
            piece = data[start:min(start + limit, offset + length)]
            final = start + limit >= offset + length
            self.send_data(message.itt, piece, ttt=message.ttt, number=number, offset=start, final=final)
            number += 1

    def is_alive(self, timeout=None):
        """A NOP-Out is answered on this connection."""
        task = self.task()
        self.send_pdu(NOP_OUT | IMMEDIATE, FINAL, b"ping", itt=task,
                      words=(NONE, self.command_number, self.status_number))
        try:
            message, _ = self.expect(task, timeout)
        except (WireError, TimeoutError):
            return False
        return message.opcode == NOP_IN and message.data == b"ping"

    def log_out(self):
        with contextlib.suppress(WireError, TimeoutError):
            task = self.task()
            self.send_pdu(LOGOUT | IMMEDIATE, FINAL, itt=task, words=(0, self.command_number, self.status_number))
            message, _ = self.expect(task, 2)
            return message.opcode == LOGOUT_RESPONSE and message.status == 0
        return False


def chap_response(keys, secret):
    """The answer to a target's challenge, which comes as hexadecimal digits."""
    if not keys.get("CHAP_C", "").lower().startswith("0x"):
        raise WireError("no hexadecimal CHAP_C")
    digest = CHAP_DIGESTS.get(keys.get("CHAP_A"))
    if not digest:
        raise WireError(f"CHAP_A={keys.get('CHAP_A')}")
    return digest(bytes([int(keys["CHAP_I"])]) + secret.encode() + bytes.fromhex(keys["CHAP_C"][2:])).digest()


def probe(url):
    """Whether the target lets initiators in, and agrees on whatever it insists on."""
    return subprocess.run(["iscsi-inq", url], capture_output=True, timeout=10).returncode == 0
