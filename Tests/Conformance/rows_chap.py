# SPDX-License-Identifier: Apache-2.0
"""Classes 12 to 14 and 17: authentication, and what must not happen without it."""
import base64, os

from cases import CLOSE, REFUSED, NotApplicable, case
from session import LoginRefused, Session, chap_response
from wire import pairs

DENIED = "Login Response 0201"
OUT_OF_ORDER = f"{DENIED}|Login Response 020b"
DOUBLE = f"{DENIED}|{REFUSED}"


def chap(bench):
    if not bench.setup.chap:
        raise NotApplicable("needs --chap-url")
    return bench.login(address=bench.setup.chap)


def challenged(bench):
    """A login up to the challenge. Returns it, the target's keys and the right response."""
    session = chap(bench)
    session.exchange(0, pairs([*session.names().items(), ("AuthMethod", "CHAP,None")]))
    keys = session.exchange(0, pairs([("CHAP_A", "7,5")])).keys()
    return session, keys, chap_response(keys, session.address.chap[1])


def answer(bench, session, items, stages=0x81):
    session.login_request(stages, pairs(items))
    return bench.login_outcome(session)


@case(12, "the right answer is let in", "Login Response 0000")
def right(bench):
    session, _, response = challenged(bench)
    return answer(bench, session, [("CHAP_N", session.address.chap[0]), ("CHAP_R", "0x" + response.hex())])


@case(12, "the security stage left out", OUT_OF_ORDER)
def left_out(bench):
    session = chap(bench)
    return answer(bench, session, [*session.names().items(), *session.offer.items()], 0x87)


for method in ("None", "KRB5", "SRP,None"):
    @case(12, f"AuthMethod={method}", DENIED)
    def other_method(bench, method=method):
        session = chap(bench)
        return answer(bench, session, [*session.names().items(), ("AuthMethod", method)])


for algorithms in ("", "56", "4", "x", "05", "5,,7x"):
    # The last two may be read as what they begin with.
    @case(12, f"CHAP_A={algorithms}", f"{DENIED}|{REFUSED}" + ("|Login Response 0000" if algorithms in ("05", "5,,7x")
                                                               else ""))
    def algorithm(bench, algorithms=algorithms):
        session = chap(bench)
        session.exchange(0, pairs([*session.names().items(), ("AuthMethod", "CHAP")]))
        return answer(bench, session, [("CHAP_A", algorithms)], 0)


@case(12, "CHAP_R first", OUT_OF_ORDER)
def response_first(bench):
    session = chap(bench)
    session.exchange(0, pairs([*session.names().items(), ("AuthMethod", "CHAP")]))
    return answer(bench, session, [("CHAP_N", session.address.chap[0]), ("CHAP_R", "0x" + "00" * 16)])


@case(12, "to full feature phase without a response", OUT_OF_ORDER)
def no_response(bench):
    session, _, _ = challenged(bench)
    return answer(bench, session, [], 0x83)


@case(12, "CHAP_N twice", f"{DOUBLE}|Login Response 020b")
def name_twice(bench):
    session, _, response = challenged(bench)
    name = session.address.chap[0]
    return answer(bench, session, [("CHAP_N", name), ("CHAP_N", name), ("CHAP_R", "0x" + response.hex())])


@case(12, "a name that nobody has", DENIED)
def wrong_name(bench):
    session, _, response = challenged(bench)
    return answer(bench, session, [("CHAP_N", "nobody"), ("CHAP_R", "0x" + response.hex())])


CHALLENGE = "0x" + "ab" * 16
MUTUAL = {
    "CHAP_I=256": ("256", CHALLENGE), "CHAP_I=-1": ("-1", CHALLENGE), "CHAP_I empty": ("", CHALLENGE),
    "CHAP_C of 1025 bytes": ("1", "0x" + "ab" * 1025), "CHAP_C empty": ("1", "0x"), "CHAP_C odd": ("1", "0xabc"),
    "CHAP_C not hexadecimal": ("1", "0xzz" + "00" * 15), "CHAP_C without a prefix": ("1", "ab" * 16),
}
for label, (identifier, challenge) in MUTUAL.items():
    @case(12 if "CHAP_I" in label or "1025" in label else 13, label, DOUBLE)
    def mutual(bench, identifier=identifier, challenge=challenge):
        session, _, response = challenged(bench)
        return answer(bench, session, [("CHAP_N", session.address.chap[0]), ("CHAP_R", "0x" + response.hex()),
                                       ("CHAP_I", identifier), ("CHAP_C", challenge)])


RESPONSES = {
    "wrong": lambda r: "0x" + bytes(byte ^ 1 for byte in r).hex(), "odd digits": lambda r: "0x" + r.hex()[:-1],
    "not hexadecimal": lambda r: "0x" + "g" * 2 * len(r), "0x alone": lambda r: "0x", "empty": lambda r: "",
    "one byte short": lambda r: "0x" + r[:-1].hex(), "one byte long": lambda r: "0x" + r.hex() + "00",
    "without a prefix": lambda r: r.hex(), "1000 bytes": lambda r: "0x" + "ab" * 1000,
    "base64 without padding": lambda r: "0b" + base64.b64encode(r).decode().rstrip("="),
    "base64 with bad letters": lambda r: "0b" + "!" * 24, "base64 too long": lambda r: "0b" + "QUFB" * 300,
    "padding alone": lambda r: "0b====",
}
for label, spoiled in RESPONSES.items():
    @case(13, f"CHAP_R: {label}", DOUBLE)
    def response(bench, spoiled=spoiled):
        session, _, right = challenged(bench)
        return answer(bench, session, [("CHAP_N", session.address.chap[0]), ("CHAP_R", spoiled(right))])


@case(13, "CHAP_R of 64 KiB", f"{CLOSE}|{DOUBLE}|Login Response 020b")
def huge_response(bench):
    session, _, _ = challenged(bench)
    data = pairs([("CHAP_N", session.address.chap[0]), ("CHAP_R", "0x" + "ab" * 32768)])
    for start in range(0, len(data), 8192):
        last = start + 8192 >= len(data)
        if not session.login_request(0x81 if last else 0x40, data[start:start + 8192]):
            return CLOSE
        outcome = bench.login_outcome(session)
        if outcome != "Login Response 0000":
            return outcome
    return outcome


@case(13, "CHAP_R in base64, right", "Login Response 0000")
def right_base64(bench):
    session, _, right = challenged(bench)
    text = "0b" + base64.b64encode(right).decode()
    return answer(bench, session, [("CHAP_N", session.address.chap[0]), ("CHAP_R", text)])


@case(14, "the target's challenge sent back", DENIED)
def reflected(bench):
    session, keys, response = challenged(bench)
    return answer(bench, session, [("CHAP_N", session.address.chap[0]), ("CHAP_R", "0x" + response.hex()),
                                   ("CHAP_I", keys["CHAP_I"]), ("CHAP_C", keys["CHAP_C"])])


@case(14, "the challenge of one login sent in another", DENIED)
def crossed_challenge(bench):
    _, keys, _ = challenged(bench)
    session, _, response = challenged(bench)
    return answer(bench, session, [("CHAP_N", session.address.chap[0]), ("CHAP_R", "0x" + response.hex()),
                                   ("CHAP_I", keys["CHAP_I"]), ("CHAP_C", keys["CHAP_C"])])


@case(14, "the response of one login sent in another", DENIED)
def crossed_response(bench):
    _, _, other = challenged(bench)
    session, _, _ = challenged(bench)
    return answer(bench, session, [("CHAP_N", session.address.chap[0]), ("CHAP_R", "0x" + other.hex())])


@case(14, "challenges are fresh", "all different")
def fresh(bench):
    found = {challenged(bench)[1]["CHAP_C"] for _ in range(6)}
    return "all different" if len(found) == 6 else f"{len(found)} of 6 different"


# 17: somebody without the secret cannot end a session

def flood(bench, address, victim, begin):
    """200 logins under the victim's name and ISID that never come to an end."""
    for _ in range(200):
        with Session(address, initiator=victim.initiator, isid=victim.isid, log_in=False) as session:
            begin(session)
    return "the session lives" if victim.is_alive() else "the session is dead"


@case(17, "200 logins of the same name and ISID that stop half-way", "the session lives")
def half_way(bench):
    victim = bench.open()
    return flood(bench, bench.address, victim, lambda session: session.exchange(
        0, pairs([*session.names().items(), ("AuthMethod", "None")])))


@case(17, "200 logins of the same name and ISID with a wrong secret", "the session lives")
def wrong_secret(bench):
    if not bench.setup.chap:
        raise NotApplicable("needs --chap-url")
    victim = bench.open(address=bench.setup.chap)

    def begin(session):
        session.exchange(0, pairs([*session.names().items(), ("AuthMethod", "CHAP")]))
        session.exchange(0, pairs([("CHAP_A", "5")]))
        response = "0x" + os.urandom(16).hex()
        session.login_request(0x81, pairs([("CHAP_N", session.address.chap[0]), ("CHAP_R", response)]))
        try:
            session.login_answer()
        except LoginRefused:
            pass

    return flood(bench, bench.setup.chap, victim, begin)
