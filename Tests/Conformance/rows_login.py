# SPDX-License-Identifier: Apache-2.0
"""Classes 1, 2, 7 to 11, 15, 16, 18 to 20: before and during the login."""
import os, struct, time

from cases import CLOSE, REFUSED, case
from session import OFFER, random_isid
from wire import LOGIN, IMMEDIATE, TASK_MANAGEMENT, pairs, pdu

INVALID = "Login Response 020b"
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(194))
HTTP = b"GET / HTTP/1.1\r\nHost: storage.example.org\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"


# 1: the first PDU

FIRST_PDUS = {
    "random bytes": b"\x9d" + os.urandom(511), "zeros": bytes(96), "TLS ClientHello": TLS_HELLO, "HTTP request": HTTP,
    **{f"opcode {opcode:02x}": pdu(opcode | IMMEDIATE, itt=1, words=(0, 1, 1))
       for opcode in (0, 1, 2, 4, 5, 6, 0x10, 0x1C, 0x23, 0x3F)},
}
for label, first in FIRST_PDUS.items():
    @case(1, label, CLOSE)
    def first_pdu(bench, first=first):
        connection = bench.tcp()
        connection.send(first)
        return bench.closes(connection)


@case(1, "a task management request in the middle of a login", CLOSE)
def not_a_login(bench):
    session = bench.login()
    session.exchange(0, pairs([*session.names().items(), ("AuthMethod", "None")]))
    session.send(pdu(TASK_MANAGEMENT | IMMEDIATE, 0x85, itt=9, words=(0, 1, 1)))
    return bench.closes(session)


# 2: slow logins

def time_to_close(connection, begun, limit):
    closed = connection.is_closed_within(limit - (time.monotonic() - begun))
    seconds = time.monotonic() - begun
    return f"close after {seconds:.0f} s" if closed else f"open after {seconds:.0f} s"


IN_TIME = r"close after (1[0-9]|20) s"
for label, count in {"nothing at all": 0, "ten bytes of a header": 10, "a header without its data": 48}.items():
    @case(2, f"{label}, then silence", IN_TIME, slow=24)
    def silence(bench, count=count):
        begun, connection = time.monotonic(), bench.tcp(source=bench.setup.second_source)
        data = pairs([("InitiatorName", "iqn.2026-11.test:slow")])
        connection.send(pdu(LOGIN | IMMEDIATE, 0x81, data, itt=1)[:count])
        return time_to_close(connection, begun, 24)


@case(2, "one byte a second", IN_TIME, slow=24)
def one_byte_a_second(bench):
    begun, connection = time.monotonic(), bench.tcp(source=bench.setup.second_source)
    for byte in pdu(LOGIN | IMMEDIATE, 0x81, bytes(100), itt=1):
        if time.monotonic() - begun > 22 or not connection.send(bytes([byte])) or connection.is_closed_within(1):
            break
    return time_to_close(connection, begun, 24)


@case(2, "a complete request every two seconds", IN_TIME, slow=24)
def slow_rounds(bench):
    begun, session = time.monotonic(), bench.login(source=bench.setup.second_source)
    session.exchange(0, pairs([*session.names().items(), ("AuthMethod", "None")]))
    while time.monotonic() - begun < 22 and session.login_request(0) and not session.is_closed_within(2):
        pass
    return time_to_close(session, begun, 24)


# 7: data segments longer than 8192

for length in (8193, 8196, 0xFFFFFF):
    @case(7, f"DataSegmentLength {length}", f"{CLOSE}|{INVALID}|{REFUSED}")
    def long_segment(bench, length=length):
        session = bench.login()
        data = pairs([*session.names().items(), ("AuthMethod", "None")])
        session.login_request(0x81, data.ljust(min(length, 20000), b"\0"), length=length)
        return bench.login_outcome(session)


# 8: text

def with_names(session, extra):
    return pairs(session.names().items()) + extra


def send_text(bench, data, stages=0x81):
    session = bench.login()
    session.login_request(stages, data(session))
    return bench.login_outcome(session)


TEXTS = {
    "no NUL at the end": (lambda s: with_names(s, b"AuthMethod=None"), f"Login Response 0000|{REFUSED}"),
    **{f"{length} bytes without NUL": (lambda s, n=length: with_names(s, b"X-a=").ljust(n, b"a"), f"{CLOSE}|{REFUSED}")
       for length in (8189, 8190, 8191, 8192)},
    "only NULs": (lambda s: bytes(512), "Login Response 0207|" + REFUSED),
    "no text at all": (lambda s: b"", "Login Response 0207|" + REFUSED),
    "=x": (lambda s: with_names(s, b"=x\0"), REFUSED),
    "a key without =": (lambda s: with_names(s, b"HeaderDigest\0"), REFUSED),
    "key==": (lambda s: with_names(s, b"X-org.test==\0"), f"Login Response 0000|{REFUSED}"),
    "a key that is not ASCII": (lambda s: with_names(s, b"X-\xff\xfe=1\0"), REFUSED),
    "runs of NUL between pairs": (
        lambda s: pairs(s.names().items()).replace(b"\0", b"\0\0\0\0") + b"AuthMethod=None\0\0\0",
        "Login Response 0000"),
}
for label, (text_of, allowed) in TEXTS.items():
    @case(8, label, allowed)
    def strange_text(bench, text_of=text_of):
        return send_text(bench, text_of)


# 9: keys

KEYS = {
    "a key of 64 characters": (lambda s: with_names(s, b"X-" + b"k" * 62 + b"=1\0"), REFUSED),
    "a value of 256 characters": (lambda s: with_names(s, b"X-org.test=" + b"v" * 256 + b"\0"), REFUSED),
    "InitiatorName twice": (lambda s: with_names(s, pairs([("InitiatorName", "iqn.2026-11.test:other")])), REFUSED),
    "SessionType twice": (lambda s: with_names(s, b"SessionType=Normal\0"), REFUSED),
    "ten unknown keys": (lambda s: with_names(s, b"AuthMethod=None\0" + b"".join(b"X-k%d=1\0" % n for n in range(10))),
                         "Login Response 0000"),
    "500 unknown keys": (lambda s: with_names(s, b"".join(b"X-k%d=1\0" % n for n in range(500))), f"{CLOSE}|{REFUSED}"),
    "1900 times a=b": (lambda s: with_names(s, b"a=b\0" * 1900), f"{CLOSE}|{REFUSED}"),
}
for label, (text_of, allowed) in KEYS.items():
    @case(9, label, allowed)
    def strange_keys(bench, text_of=text_of):
        return send_text(bench, text_of)


def operational(bench, items):
    """The text sent in the operational stage of a login that is in order otherwise."""
    session = bench.login()
    session.exchange(0x81, pairs([*session.names().items(), ("AuthMethod", "None")]))
    session.login_request(0x87, pairs(items))
    return session


@case(9, "HeaderDigest twice", REFUSED)
def digest_twice(bench):
    return bench.login_outcome(operational(bench, [*OFFER.items(), ("HeaderDigest", "None")]))


@case(9, "MaxRecvDataSegmentLength twice", f"Login Response 0000|{REFUSED}")
def segment_length_twice(bench):
    session = operational(bench, [*OFFER.items(), ("MaxRecvDataSegmentLength", "65536")])
    return bench.login_outcome(session)


@case(9, "10000 keys in fragments", f"{CLOSE}|{REFUSED}|{INVALID}")
def many_fragments(bench):
    session, answer = bench.login(), None
    session.login_request(0x40, with_names(session, b""))
    for start in range(0, 10000, 500):
        answer = session.login_answer()
        if answer is None:
            return CLOSE
        if answer.status:
            return str(answer)
        if not session.login_request(0x40, b"".join(b"X-k%d=1\0" % n for n in range(start, start + 500))):
            return CLOSE
    return f"{answer} after 10000 keys"


# 10: the C bit

def rounds_until_refusal(session, stages, data, most):
    """Sends the request again and again. Returns what ended it."""
    for number in range(most):
        if not session.login_request(stages, data):
            return CLOSE
        answer = session.login_answer()
        if answer is None:
            return CLOSE
        if answer.status:
            return str(answer)
        if answer.flags & 0x80:
            return f"{answer} with T set"
    return f"still welcome after {most} requests"


ENDED = f"{CLOSE}|{REFUSED}|{INVALID}"


@case(10, "fragments without end", ENDED)
def endless_fragments(bench):
    session = bench.login()
    return rounds_until_refusal(session, 0x40, b"X-a=" + b"a" * 8000 + b"\0", 64)


@case(10, "fragments without data", ENDED)
def empty_fragments(bench):
    return rounds_until_refusal(bench.login(), 0x40, b"", 64)


@case(10, "C and T together", f"{INVALID}|{REFUSED}")
def continue_and_transit(bench):
    session = bench.login()
    session.login_request(0xC1, with_names(session, b"AuthMethod=None\0"))
    return bench.login_outcome(session)


# 11: stages

STAGES = {
    "from security to security": (0x80, None), "to the reserved stage": (0x82, None),
    "in the reserved stage": (0x8B, None), "in full feature phase already": (0x8F, None),
    "from operational to security": (0x84, 0x81), "back to security": (0x81, 0x81),
    "from operational to operational": (0x85, 0x81), "from operational to the reserved stage": (0x86, 0x81),
}
for label, (stages, before) in STAGES.items():
    @case(11, label, f"{INVALID}|{REFUSED}")
    def stage_games(bench, stages=stages, before=before):
        session = bench.login()
        data = pairs([*session.names().items(), ("AuthMethod", "None")])
        if before is not None:
            session.exchange(before, data)
            data = b""
        session.login_request(stages, data)
        return bench.login_outcome(session)


@case(11, "1000 empty rounds", ENDED)
def empty_rounds(bench):
    session = bench.login()
    session.exchange(0, pairs([*session.names().items(), ("AuthMethod", "None")]))
    return rounds_until_refusal(session, 0, b"", 1000)


# 15: names

NAMES = {
    "InitiatorName of 224 characters": ({"InitiatorName": "iqn.2026-11.test:".ljust(224, "a")}, REFUSED),
    "InitiatorName empty": ({"InitiatorName": ""}, f"{REFUSED}|Login Response 0207"),
    "InitiatorName missing": ({"InitiatorName": None}, "Login Response 0207"),
    "InitiatorName with spaces": ({"InitiatorName": "iqn.2026-11.test:a b"}, REFUSED),
    "InitiatorName of no known kind": ({"InitiatorName": "somebody"}, REFUSED),
    "TargetName unknown": ({"TargetName": "iqn.2026-11.test:nobody"}, "Login Response 0203"),
    "TargetName missing": ({"TargetName": None}, "Login Response 0207"),
    "TargetName of 224 characters": ({"TargetName": "iqn.2026-11.test:".ljust(224, "a")},
                                     f"{REFUSED}|Login Response 0203"),
    "SessionType unknown": ({"SessionType": "Curious"}, f"{REFUSED}|Login Response 0209"),
}
for label, (replaced, allowed) in NAMES.items():
    @case(15, label, allowed)
    def strange_names(bench, replaced=replaced):
        session = bench.login()
        names = {**session.names(), **replaced}
        items = [(key, value) for key, value in names.items() if value is not None]
        session.login_request(0x81, pairs([*items, ("AuthMethod", "None")]))
        return bench.login_outcome(session)


# 16: TSIH, ISID, CID

SESSIONS = {
    "a TSIH that nobody has": ({"tsih", "isid"}, "Login Response 020a"),
    "the TSIH of another initiator": ({"initiator"}, "Login Response 020a"),
    "the TSIH with another ISID": ({"isid"}, "Login Response 020a"),
    "a second connection": ({"connection"}, "Login Response 020[68]"),
}
for label, (change, allowed) in SESSIONS.items():
    @case(16, label, f"({allowed}), the session lives")
    def foreign_session(bench, change=change):
        first = bench.open()
        second = bench.login(isid=random_isid() if "isid" in change else first.isid,
                             initiator=f"{first.initiator}.other" if "initiator" in change else first.initiator)
        second.tsih = first.tsih ^ 0x5A5A or 1 if "tsih" in change else first.tsih
        second.connection = 7 if "connection" in change else 0
        return f"{bench.log_in(second)}, the session {'lives' if first.is_alive() else 'is dead'}"


@case(16, "the same CID: the connection is taken over, or refused",
      "Login Response 0000, the old is closed|Login Response 020[68a], the old lives")
def same_connection(bench):
    first = bench.open()
    second = bench.login(isid=first.isid, tsih=first.tsih)
    return f"{bench.log_in(second)}, the old {'lives' if first.is_alive(2) else 'is closed'}"


# 18, 19: numbers

NUMBERS = [
    ("MaxBurstLength", "0", "refused"), ("MaxBurstLength", "-1", "refused"), ("MaxBurstLength", "511", "refused"),
    ("MaxBurstLength", "16777216", "refused"), ("MaxBurstLength", "4294967297", "refused"),
    ("MaxBurstLength", "18446744073709551617", "refused"), ("MaxBurstLength", "0x", "refused"),
    ("MaxBurstLength", "", "refused"), ("MaxBurstLength", "1e5", "refused"), ("MaxBurstLength", " 262144", "refused"),
    ("MaxBurstLength", "0x40000", "262144"), ("MaxBurstLength", "0X40000", "262144|refused"),
    ("MaxBurstLength", "0262144", "262144|refused"), ("FirstBurstLength", "511", "refused"),
    ("MaxConnections", "0", "refused"), ("MaxConnections", "65536", "refused"),
    ("MaxOutstandingR2T", "0", "refused"), ("MaxOutstandingR2T", "65536", "refused"),
    ("DefaultTime2Wait", "3601", "refused"), ("DefaultTime2Retain", "-5", "refused"),
    ("ErrorRecoveryLevel", "3", "refused"), ("InitialR2T", "yes", "refused"), ("ImmediateData", "1", "refused"),
    ("MaxRecvDataSegmentLength", "511", "refused"), ("MaxRecvDataSegmentLength", "16777216", "refused"),
]
for key, value, allowed in NUMBERS:
    @case(19 if (key, value) == ("MaxRecvDataSegmentLength", "511") else 18, f"{key}={value}", allowed)
    def strange_number(bench, key=key, value=value):
        session = operational(bench, [*{**OFFER, key: value}.items()])
        answer = session.login_answer()
        if answer is None or answer.status:
            return "refused"
        result = answer.keys().get(key, "taken without a word")
        return "refused" if result == "Reject" else result


@case(19, "FirstBurstLength above MaxBurstLength", "at most MaxBurstLength|refused")
def bursts_crossed(bench):
    items = {**OFFER, "FirstBurstLength": "262144", "MaxBurstLength": "8192"}
    answer = operational(bench, items.items()).login_answer()
    if answer is None or answer.status:
        return "refused"
    keys = answer.keys()
    first = keys.get("FirstBurstLength", "262144")
    if first == "Reject" or int(first) <= int(keys.get("MaxBurstLength", "8192")):
        return "at most MaxBurstLength"
    return f"FirstBurstLength={first} MaxBurstLength={keys.get('MaxBurstLength')}"


# 20: a second login

@case(20, "a Login Request in full feature phase", CLOSE)
def second_login(bench):
    session = bench.open()
    session.login_request(0x87, pairs([*session.names().items(), ("AuthMethod", "None")]))
    return bench.closes(session)


@case(11, "version 1 at least", "Login Response 0205")
def version(bench):
    session = bench.login()
    session.login_request(0x81, pairs(session.names().items()), versions=struct.pack("BB", 1, 1))
    return bench.login_outcome(session)
