# SPDX-License-Identifier: Apache-2.0
"""PDUs of RFC 7143 as bytes, and a connection that sends whatever it is given: right or wrong."""
import re, select, socket, struct, time

NONE = 0xFFFFFFFF

# Opcodes of the initiator; IMMEDIATE is added to them.
NOP_OUT, COMMAND, TASK_MANAGEMENT, LOGIN, TEXT, DATA_OUT, LOGOUT, SNACK = 0, 1, 2, 3, 4, 5, 6, 0x10
IMMEDIATE = 0x40
# Opcodes of the target.
NOP_IN, RESPONSE, TASK_RESPONSE, LOGIN_RESPONSE, TEXT_RESPONSE, DATA_IN, LOGOUT_RESPONSE = range(0x20, 0x27)
R2T, ASYNC, REJECT = 0x31, 0x32, 0x3F
NAMES = {NOP_IN: "NOP-In", RESPONSE: "SCSI Response", TASK_RESPONSE: "TMF Response", LOGIN_RESPONSE: "Login Response",
         TEXT_RESPONSE: "Text Response", DATA_IN: "Data-In", LOGOUT_RESPONSE: "Logout Response", R2T: "R2T",
         ASYNC: "Async Message", REJECT: "Reject"}
# Byte 1 of a SCSI command.
FINAL, READ, WRITE, SIMPLE = 0x80, 0x40, 0x20, 0x01


class WireError(Exception):
    """The peer did not do what it has to, in a sentence."""


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ 0x82F63B78 if byte & 1 else byte >> 1
        table.append(byte)
    return table


CRC32C_TABLE = crc32c_table()


def crc32c(data):
    value = NONE
    for byte in data:
        value = CRC32C_TABLE[(value ^ byte) & 255] ^ (value >> 8)
    return struct.pack("<I", value ^ NONE)


def lun_field(number):
    return struct.pack(">H6x", number if number < 256 else 0x4000 | number)


def pdu(opcode, flags=FINAL, data=b"", *, itt=NONE, lun=bytes(8), words=(), ahs=b"", length=None, ahs_words=None,
        bytes_2_3=b"\0\0", digests=(False, False), spoil=None):
    """`words` start at byte 20; `length` and `ahs_words` lie about the lengths; `spoil` makes a digest wrong."""
    tail = b"".join(word if isinstance(word, bytes) else struct.pack(">I", word & NONE) for word in words)
    length = len(data) if length is None else length
    header = (struct.pack(">BB", opcode, flags) + bytes_2_3
              + struct.pack(">I", ((len(ahs) // 4 if ahs_words is None else ahs_words) << 24) | length)
              + lun + struct.pack(">I", itt & NONE) + tail.ljust(28, b"\0")[:28] + ahs)
    payload = data + bytes(-len(data) % 4)
    if digests[0]:
        header += wrong(crc32c(header)) if spoil == "header" else crc32c(header)
    if digests[1] and payload:
        payload += wrong(crc32c(payload)) if spoil == "data" else crc32c(payload)
    return header + payload


def wrong(digest):
    return bytes([digest[0] ^ 0x55]) + digest[1:]


def text(**keys):
    return pairs(keys.items())


def pairs(items):
    return b"".join(f"{key}={value}".encode() + b"\0" for key, value in items)


class Received:
    def __init__(self, header, data):
        self.header, self.data = header, data
        self.opcode, self.flags = header[0] & 0x3F, header[1]
        self.itt, self.ttt = self.word(16), self.word(20)

    def word(self, offset):
        return struct.unpack_from(">I", self.header, offset)[0]

    @property
    def status(self):
        """Of a login its class and detail, of a command its status, of a Reject its reason."""
        if self.opcode == LOGIN_RESPONSE:
            return self.header[36] << 8 | self.header[37]
        return self.header[2] if self.opcode in (REJECT, TASK_RESPONSE, LOGOUT_RESPONSE) else self.header[3]

    @property
    def sense(self):
        """(key, additional code and qualifier), or None."""
        if self.opcode != RESPONSE or len(self.data) < 16:
            return None
        sense = self.data[2:]
        if sense[0] & 0x7F in (0x72, 0x73):
            return sense[1] & 15, sense[2] << 8 | sense[3]
        return sense[2] & 15, sense[12] << 8 | sense[13]

    def keys(self):
        items = (item.split(b"=", 1) for item in self.data.split(b"\0") if b"=" in item)
        return {key.decode("latin1"): value.decode("latin1") for key, value in items}

    def __str__(self):
        name = NAMES.get(self.opcode, f"opcode {self.opcode:02x}")
        if self.opcode == LOGIN_RESPONSE:
            return f"{name} {self.status:04x}"
        if self.opcode == RESPONSE:
            sense = self.sense
            extra = f" {sense[0]:x}/{sense[1] >> 8:02x}/{sense[1] & 255:02x}" if sense else ""
            return f"{name} status {self.header[3]:02x}{extra}"
        if self.opcode in (REJECT, TASK_RESPONSE, LOGOUT_RESPONSE):
            return f"{name} {self.header[2]:02x}"
        return name


class Address:
    def __init__(self, url):
        match = re.fullmatch(r"iscsi://(?:([^%@/]*)%([^@/]*)@)?(\[[^\]]*\]|[^:/]+)(?::(\d+))?/([^/]+)/(\d+)", url)
        if not match:
            raise WireError(f"{url}: not iscsi://[USER%SECRET@]HOST[:PORT]/TARGET/LUN")
        user, secret, host, port, self.target, lun = match.groups()
        self.host, self.port, self.lun = host.strip("[]"), int(port or 3260), int(lun)
        self.chap = (user, secret) if user else None


def is_readable(connection, seconds):
    """poll and not select, which knows no descriptor above 1023."""
    if connection.fileno() < 0:
        raise WireError("the connection has been closed on this side")
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(max(0, seconds) * 1000))


class Connection:
    """A TCP connection to a target."""

    def __init__(self, address, timeout=5, receive_buffer=None, source=None):
        self.address, self.timeout = address, timeout
        self.digests = (False, False)
        self.buffer = bytearray()
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.socket = socket.socket(family)
        try:
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.settimeout(timeout)
            if source:
                self.socket.bind((source, 0))
            self.socket.connect((address.host, address.port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection as a peer that has died does: by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        """False if the peer has closed: after something malformed it may do so at any time."""
        try:
            self.socket.sendall(data)
            return True
        except TimeoutError:
            raise WireError("the target does not read what is sent") from None
        except OSError:
            return False

    def send_pdu(self, *arguments, **options):
        return self.send(pdu(*arguments, digests=self.digests, **options))

    def fill(self, count, deadline):
        """Makes `count` bytes available; False at the end of the stream, or if the time is over."""
        while len(self.buffer) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if not is_readable(self.socket, left):
                raise TimeoutError
            try:
                piece = self.socket.recv(1 << 18)
            except ConnectionError:
                return False
            if not piece:
                return False
            self.buffer += piece
        return True

    def receive(self, timeout=None):
        """The next PDU, None at the end of the stream. TimeoutError."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        if not self.fill(48, deadline):
            return None
        length = int.from_bytes(self.buffer[5:8], "big")
        header = 48 + 4 * self.buffer[4] + 4 * self.digests[0]
        total = header + (length + 3) // 4 * 4 + (4 if self.digests[1] and length else 0)
        if not self.fill(total, deadline):
            raise WireError("the target closed in the middle of a PDU")
        message = Received(bytes(self.buffer[:48]), bytes(self.buffer[header:header + length]))
        if self.digests[0] and crc32c(self.buffer[:header - 4]) != self.buffer[header - 4:header]:
            raise WireError(f"{message}: the header digest of the target is wrong")
        del self.buffer[:total]
        return message

    def drain(self, seconds):
        """What comes within the time: PDUs, and whether the peer has closed."""
        messages, end = [], time.monotonic() + seconds
        while True:
            try:
                message = self.receive(max(0.001, end - time.monotonic()))
            except TimeoutError:
                return messages, False
            if message is None:
                return messages, True
            messages.append(message)

    def is_closed_within(self, seconds):
        """Whether the peer closes in that time; what else it sends is of no interest."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not is_readable(self.socket, left):
                return False
            try:
                if not self.socket.recv(1 << 18):
                    return True
            except ConnectionError:
                return True
