# SPDX-License-Identifier: Apache-2.0
"""Many connections and many sessions that want nothing, many logins that never end, and as many logins as go."""
import concurrent.futures, contextlib, copy, socket, time

from session import Session
from wire import Connection, WireError, pairs

IDLE, HALF_OPEN, FLOOD_SECONDS, FLOOD_THREADS = 1000, 300, 10, 8
# Sessions of one target; each volume is one.
SESSIONS_PER_TARGET = 60
# The frontend's memory may grow by so much in all of it.
MEMORY_GROWTH = 128 << 20
FAILURES = (WireError, OSError, TimeoutError)


def sources(address):
    """Loopback has many addresses: one for each hundred, so that not all of them meet one address's limit."""
    return [f"127.0.1.{number}" for number in range(1, 12)] if address.host.startswith("127.") else [None]


def idle_connections(address, stack):
    held, names = 0, sources(address)
    for number in range(IDLE):
        with contextlib.suppress(*FAILURES):
            stack.enter_context(Connection(address, timeout=2, source=names[number % len(names)]))
            held += 1
    return f"{held} of {IDLE} idle connections were taken"


def idle_sessions(address, stack, targets):
    """Logged in and silent: they have to answer the target's NOP-In only after half a minute."""
    held, names = 0, sources(address)
    for number in range(IDLE):
        with contextlib.suppress(*FAILURES):
            to = copy.copy(address)
            to.target = targets[number // SESSIONS_PER_TARGET]
            stack.enter_context(Session(
                to, timeout=5, source=names[number % len(names)], initiator=f"iqn.2026-11.test.sluice:idle{number}"))
            held += 1
    return f"{held} of {IDLE} idle sessions were let in"


def half_open_logins(address, stack):
    answered, names = 0, sources(address)
    for number in range(HALF_OPEN):
        with contextlib.suppress(*FAILURES):
            session = stack.enter_context(Session(
                address, log_in=False, timeout=2, source=names[number % len(names)]))
            session.login_request(0, pairs([*session.names().items(), ("AuthMethod", "None")]))
            answered += session.login_answer() is not None
    return f"{answered} of {HALF_OPEN} logins were begun"


def login_flood(address, stack):
    end = time.monotonic() + FLOOD_SECONDS

    def log_in_and_out(number):
        done = refused = 0
        while time.monotonic() < end:
            try:
                with Session(address, timeout=5, initiator=f"iqn.2026-11.test.sluice:flood{number}") as session:
                    # Every other one just goes away.
                    if done % 2:
                        session.socket.shutdown(socket.SHUT_RDWR)
                    done += 1
            except FAILURES:
                refused += 1
                time.sleep(0.01)
        return done, refused

    with concurrent.futures.ThreadPoolExecutor(FLOOD_THREADS) as pool:
        results = list(pool.map(log_in_and_out, range(FLOOD_THREADS)))
    done, refused = (sum(column) for column in zip(*results))
    return f"{done / FLOOD_SECONDS:.0f} logins a second, {refused} refused"


STEPS = {"idle connections": idle_connections, "half-open logins": half_open_logins, "login flood": login_flood}


def run(address, load, is_served, report, targets=None, process=None):
    """Each step, with what the load beside it reached meanwhile, the memory of the frontend's process, and whether a
    new login goes through after it.

    targets: for the step with idle sessions, one for each 60 of them.
    """
    failures, steps = [], dict(STEPS)
    if targets:
        steps["idle sessions"] = lambda address, stack: idle_sessions(address, stack, targets)
    first = process.resident() if process else 0
    for name, step in steps.items():
        alone = load.rate(3)
        with contextlib.ExitStack() as stack:
            before, begun = load.rounds.value, time.monotonic()
            outcome = step(address, stack)
            if name == "idle sessions":
                let_in = int(outcome.split()[0])
                if let_in < IDLE:
                    failures.append(f"{name}: {IDLE - let_in} were not let in")
            if name != "login flood":
                time.sleep(max(0.0, 3 - (time.monotonic() - begun)))
            during = (load.rounds.value - before) / (time.monotonic() - begun)
            if process:
                outcome += f", {process.resident() >> 20} MiB resident"
                if process.resident() > first + MEMORY_GROWTH:
                    failures.append(f"{name}: {process.resident() - first >> 20} MiB more are resident")
        begun, served = time.monotonic(), is_served()
        took = time.monotonic() - begun
        report(f"{name}: {outcome}; load {during:.0f} rounds/s, alone {alone:.0f}; "
               + (f"served {took:.1f} s after it" if served else "NOT served after it"))
        if not served:
            failures.append(f"{name}: no login goes through after it")
        if not during:
            failures.append(f"{name}: the session beside it stood still")
    return failures
