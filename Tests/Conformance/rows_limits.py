# SPDX-License-Identifier: Apache-2.0
"""Classes 36, 45, 46, 52 and 55: many at once, and peers or parts of the gateway that stand still."""
import concurrent.futures, contextlib, os, signal, threading, time

from cases import CLOSE, NotApplicable, case, read_10, write_10
from reservations import Model, differences
from rows_pdu import manage
from session import LoginRefused, Session, random_isid
from wire import FINAL, READ, SIMPLE, Connection, WireError, pairs

# The others share the processor; a target that serves again within this time has not been hurt.
PATIENCE = 20


# 36

@case(36, "ABORT TASK while the cache manager stands still",
      r"pings answered, then SCSI Response status 00, TMF Response 0[01]|pings answered, then TMF Response 00",
      alone=True)
def stalled(bench):
    if not bench.setup.gateway:
        raise NotApplicable("needs --binaries")
    session, cache = bench.open(), bench.setup.gateway.process_id("cache")
    os.kill(cache, signal.SIGSTOP)
    try:
        task = session.send_command(write_10(bench.lba, 8), expected=4096, data=bytes(4096))
        abort = manage(session, 1, reference=task)
        pings = all(session.is_alive(2) for _ in range(5))
    finally:
        os.kill(cache, signal.SIGCONT)
    messages, end = [*session.unexpected], time.monotonic() + 10
    while not any(message.itt == abort for message in messages) and time.monotonic() < end:
        messages += session.drain(0.2)[0]
    messages += session.drain(0.5)[0]
    # A write that was answered before it could be aborted, or one that was aborted and is never answered.
    texts = [str(message) for message in sorted(messages, key=lambda message: message.itt != task)
             if message.itt in (task, abort)]
    return f"pings {'answered' if pings else 'NOT answered'}, then {', '.join(texts)}"


# 45

@case(45, "64 reads of 1 MiB, nothing taken for 75 seconds", "closed after a part", slow=90)
def never_reads(bench):
    session = bench.open(receive_buffer=4096, source=bench.setup.second_source)
    for _ in range(64):
        session.send_command(read_10(bench.lba, 2048), expected=1 << 20, flags=FINAL | READ | SIMPLE)
    time.sleep(78)
    total, end = 0, time.monotonic() + 8
    session.socket.settimeout(2)
    try:
        while time.monotonic() < end:
            count = len(session.socket.recv(1 << 20))
            if not count:
                break
            total += count
        else:
            return f"{total >> 20} MiB, and no end"
    except TimeoutError:
        return f"open after 78 s, {total >> 20} MiB of 64 came"
    except ConnectionError:
        pass
    return "closed after a part" if total < 64 << 20 else "everything came"


# 46

def served(bench):
    """Whether a login and a command go through, as soon as what was closed is cleared away."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        try:
            with contextlib.closing(bench.open()) as session:
                if session.run(bytes(6))[0].header[3] == 0:
                    return "served"
        except (WireError, OSError, TimeoutError):
            time.sleep(0.5)
    return f"not served for {PATIENCE} s"


def returned(bench, before):
    """That the frontend has closed the descriptors of what has gone."""
    watch = bench.setup.watch
    if not watch:
        return "served"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and watch.descriptors() > before + 4:
        time.sleep(0.2)
    after = watch.descriptors()
    return "served" if after <= before + 4 else f"{after} descriptors, {before} before"


def storm(bench, count, act):
    before = bench.setup.watch.descriptors() if bench.setup.watch else 0
    for _ in range(count):
        with contextlib.suppress(OSError, TimeoutError, WireError):
            act()
    outcome = served(bench)
    return returned(bench, before) if outcome == "served" else outcome


@case(46, "2000 connections at once that say nothing", "served", alone=True)
def many_idle(bench):
    before = bench.setup.watch.descriptors() if bench.setup.watch else 0
    connections = []
    for number in range(2000):
        try:
            connections.append(Connection(bench.address, timeout=2, source=bench.setup.third_source))
        except (OSError, TimeoutError):
            break
    # While they are there the session that was there before has to be served, which the watchdog looks at where it
    # has a volume of its own.
    time.sleep(1)
    for connection in connections:
        connection.close()
    outcome = served(bench)
    return returned(bench, before) if outcome == "served" else outcome


@case(46, "3000 connections that come and go", "served", alone=True)
def come_and_go(bench):
    return storm(bench, 3000, lambda: Connection(bench.address, timeout=2).close())


@case(46, "300 that go in the middle of a login", "served", alone=True)
def gone_in_login(bench):
    def act():
        with Session(bench.address, log_in=False, timeout=2) as session:
            session.login_request(0, pairs([*session.names().items(), ("AuthMethod", "None")]))
            session.reset()
    return storm(bench, 300, act)


@case(46, "300 that go after a login", "served", alone=True)
def gone_after_login(bench):
    return storm(bench, 300, lambda: Session(bench.address, timeout=2).reset())


@case(46, "200 that go with writes and reads under way", "served", alone=True)
def gone_under_way(bench):
    def act():
        session = Session(bench.address, timeout=2)
        session.run(bytes(6))
        for _ in range(8):
            session.send_command(write_10(bench.lba, 16), data=bytes(8192), expected=8192)
            session.send_command(read_10(bench.lba, 128), expected=65536)
        session.reset()
    return storm(bench, 200, act)


# 52

@case(52, "reservations of four nexuses as the model has them, 600 steps", "as the model has them", alone=True)
def reservations(bench):
    with contextlib.ExitStack() as stack:
        model = Model(bench, stack, seed=52)
        if not model.is_offered:
            raise NotApplicable("persistent reservations are not offered")
        try:
            return differences(model, steps=600) or "as the model has them"
        finally:
            model.clear()


# 55

def racing(bench, count, isid):
    """Logs in at one instant in as many threads. Returns sessions and refusals."""
    barrier = threading.Barrier(count)

    def act(_):
        session = Session(bench.address, isid=isid, log_in=False)
        bench.stack.callback(session.close)
        barrier.wait()
        try:
            session.log_in()
            return session
        except LoginRefused as refused:
            return refused
        except (WireError, OSError, TimeoutError) as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(act, range(count)))


@case(55, "8 logins with one ISID, 20 times", "one session each time")
def race(bench):
    for _ in range(20):
        sessions = [one for one in racing(bench, 8, random_isid()) if isinstance(one, Session)]
        time.sleep(0.05)
        living = [session for session in sessions if session.is_alive(2)]
        if len(living) != 1:
            return f"{len(living)} sessions live of {len(sessions)} logins"
        for session in sessions:
            session.close()
    return "one session each time"


@case(55, "logins while the volume is deleted, 3 times", "let in or refused as absent, and served", alone=True)
def deleted(bench):
    if not bench.setup.gateway:
        raise NotApplicable("the volume is only deleted with --binaries")
    seen = set()
    for number in range(3):
        gateway, name = bench.setup.gateway, f"short-lived-{number}"
        target = gateway.create(name, "1GiB")
        address = type(bench.address)(f"iscsi://{gateway.portal(0)}/{target}/0")
        ending = threading.Event()

        def log_in_again_and_again():
            while not ending.is_set():
                try:
                    with Session(address, timeout=5) as session:
                        session.run(bytes(6))
                        seen.add("0000")
                except LoginRefused as refused:
                    seen.add(f"{refused.status or 0:04x}")
                except (WireError, OSError, TimeoutError):
                    seen.add(CLOSE)

        threads = [threading.Thread(target=log_in_again_and_again) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(0.3)
            gateway.sluice("volume", "delete", name, "--yes")
            time.sleep(1.5)
        finally:
            ending.set()
            for thread in threads:
                thread.join()
    strange = {status for status in seen if status not in ("0000", "0203", "0204", CLOSE) and status[:2] != "03"}
    if strange:
        return f"login status {', '.join(sorted(strange))}"
    outcome = served(bench)
    return "let in or refused as absent, and served" if outcome == "served" else outcome
