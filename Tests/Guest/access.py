# SPDX-License-Identifier: Apache-2.0
"""Who may use a volume: names, CHAP in one and in both directions, digests, and what the gateway shows of a session."""
import time

USER, SECRET = "alice", "twelve bytes+"
GATEWAY_USER, GATEWAY_SECRET = "sluice", "the other way"
CHAP = f"{{user: {USER}, secret: {SECRET!r}}}"
MUTUAL = f"{{user: {USER}, secret: {SECRET!r}, mutual_user: {GATEWAY_USER}, mutual_secret: {GATEWAY_SECRET!r}}}"
RULES = (f"rules:\n  - {{volumes: [foreign], initiators: [\"iqn.2026-11.io.sluice.guest:other\"]}}\n"
         f"  - {{volumes: [guarded], chap: [{CHAP}]}}\n  - {{volumes: [mutual], chap: [{MUTUAL}]}}\n")
# Seconds for the initiator to be back after `sluice disconnect`, in a slow guest.
LIMIT = 8


def settings(secret=None, gateway_secret=None, algorithms=None):
    """Of a node's record; the secrets in them have blanks."""
    found = []
    if secret:
        found += ["authmethod=CHAP", f"username={USER}", f"password={secret}"]
    if gateway_secret:
        found += [f"username_in={GATEWAY_USER}", f"password_in={gateway_secret}"]
    if algorithms:
        found.append(f"chap_algs={algorithms}")
    return " ".join(f"'node.session.auth.{setting}'" for setting in found)


class Door:
    """One target, with a record made anew for each attempt."""

    def __init__(self, gateway, machine, target):
        self.machine, self.target, self.portal = machine, target, gateway.portal(0)

    def attempt(self, *arguments, **named):
        record = f"record {self.target} {self.portal} {settings(*arguments, **named)}"
        return self.machine.start(f"{record}\nlogin {self.target} {self.portal}").wait(180)

    def forget(self):
        self.machine.run(f"iscsiadm -m node -o delete -T {self.target}")

    def expect_open(self, step, what, *arguments, **named):
        """Logs in and reads, and logs out again."""
        found = self.attempt(*arguments, **named)
        step.expect(found.status == 0, f"{what} is refused: {found.output.strip()}")
        if found.status == 0:
            self.machine.run(f"dd if={found.output.strip()} of=/dev/null bs=64k count=16 iflag=direct\n"
                             f"logout {self.target} {self.portal}")
        self.forget()

    def expect_closed(self, step, what, *arguments, error=24, **named):
        """24 is a guest that has not proved who it is; 19 every other reason not to try again."""
        found = self.attempt(*arguments, **named)
        step.expect(found.status != 0 and f"error ({error} " in found.output, f"{what}: {found.output.strip()}")
        self.forget()


def run(report, gateway, machine):
    targets = {name: gateway.create(name, "1GiB") for name in ["foreign", "guarded", "mutual", "digests"]}
    doors = {name: Door(gateway, machine, target) for name, target in targets.items()}
    gateway.allow(RULES)
    name = machine.run("sed -n 's/^InitiatorName=//p' /etc/iscsi/initiatorname.iscsi").strip()
    with report.step("access", "a volume of another initiator is neither told of nor let in to") as step:
        found = machine.run(f"iscsiadm -m discovery -t sendtargets -p {gateway.portal(0)}").split()
        step.expect(targets["foreign"] not in found, "discovery tells of it")
        step.expect(targets["digests"] in found, f"discovery says {found}")
        machine.run("iscsiadm -m node -o delete")
        doors["foreign"].expect_closed(step, "the volume of another initiator", error=19)
    with report.step("access", "CHAP: the right secret is let in, others are not") as step:
        doors["guarded"].expect_closed(step, "no secret")
        doors["guarded"].expect_closed(step, "a wrong secret", "a wrong secret")
        doors["guarded"].expect_open(step, "the right secret", SECRET)
    with report.step("access", "CHAP with MD5, SHA-1, SHA-256 and SHA3-256") as step:
        for algorithm in ["MD5", "SHA1", "SHA256", "SHA3-256"]:
            doors["guarded"].expect_open(step, algorithm, SECRET, algorithms=algorithm)
    with report.step("access", "mutual CHAP: neither side lets the wrong one in") as step:
        doors["mutual"].expect_closed(step, "a wrong secret of the gateway", SECRET, "a wrong secret", error=19)
        doors["mutual"].expect_closed(step, "a wrong secret of the guest", "a wrong secret", GATEWAY_SECRET)
        doors["mutual"].expect_open(step, "the right secrets", SECRET, GATEWAY_SECRET)
    with report.step("access", "rules change: a weak digest and a former secret are refused") as step:
        gateway.allow("digest: sha256\n" + RULES.replace(SECRET, "another secret"))
        doors["guarded"].expect_closed(step, "the former secret", SECRET)
        doors["guarded"].expect_closed(step, "MD5", "another secret", algorithms="MD5")
        doors["guarded"].expect_open(step, "the new secret", "another secret", algorithms="SHA256,MD5")
        gateway.allow()
    digests(report, gateway, machine, targets["digests"], name)
    with report.step("access", "no error in the kernel log") as step:
        errors = machine.run("kernel_errors")
        step.expect(errors == "", errors.strip())


def lost_connections(machine):
    return int(machine.run("dmesg | grep -c 'detected conn error' || true"))


def digests(report, gateway, machine, target, name):
    portal = gateway.portal(0)
    with report.step("access", "CRC32C over headers and data, fio verify") as step:
        wanted = "node.conn[0].iscsi.HeaderDigest=CRC32C node.conn[0].iscsi.DataDigest=CRC32C"
        disk = machine.run(f"record {target} {portal} {wanted}\nlogin {target} {portal}").strip()
        agreed = machine.run("iscsiadm -m session -P 2 | grep -c 'Digest: CRC32C' || true").strip()
        step.expect(agreed == "2", f"{agreed} digests were agreed on")
        before = lost_connections(machine)
        written = int(machine.run(f"fio_sizes {disk} 512:256k 4k:8m 64k:16m 1m:32m", 240))
        step.note(f"{written / 1024:.0f} MiB written and compared")
        lost = lost_connections(machine) - before
        step.expect(lost == 0, f"the connection was lost {lost} times")
    with report.step("access", "sluice initiators shows the guest") as step:
        sessions = gateway.sessions("digests")
        step.expect(len(sessions) == 1, f"{len(sessions)} sessions: {sessions}")
        session = sessions[0]
        for key, expected in [("initiator", name), ("target", target), ("portal", portal), ("headerDigest", "CRC32C"),
                              ("dataDigest", "CRC32C"), ("firstBurstBytes", 256 << 10), ("maxBurstBytes", 1 << 20)]:
            step.expect(session[key] == expected, f"{key} is {session[key]}, not {expected}")
        step.expect(session["address"].startswith("10.98.0.2:"), f"the address is {session['address']}")
        step.note(f"name, address, target, portal, digests, bursts")
    with report.step("access", "sluice disconnect under load: the guest logs in again") as step:
        load = machine.start(f"load {disk} --size=32m --io_size=16m")
        time.sleep(4)
        begun = time.time()
        said = gateway.sluice("disconnect", "--initiator", name)
        step.expect("1 session ended" in said, said)
        for _ in range(100):
            if gateway.sessions("digests"):
                break
            time.sleep(0.1)
        took = time.time() - begun
        step.note(f"back after {took:.1f} s")
        step.expect(took < LIMIT, f"back only after {took:.1f} s")
        time.sleep(4)
        machine.run("touch /tmp/stop-load")
        step.note(f"{load.result(180).strip()} passes of 16 MiB compared, no error")
        machine.run(f"logout {target} {portal}")
