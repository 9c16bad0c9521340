#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of a gateway with the Linux kernel's initiator, in a virtual machine without KVM (`make guest-test`).

Everything runs in network and process namespaces of its own: the addresses of guest and gateway are nobody else's, a
path can be cut by nftables, and the end of this program, however it comes, is that of all that it has started. Needs
root, or user namespaces; the image is built by build.sh, the Debian packages are those of `scripts/setup.sh guest`.
"""
import argparse, datetime, os, pathlib, random, shutil, signal, subprocess, sys, tempfile

import access, changes, cluster, disks, filesystems, kills, multipath
from gateway import Gateway
from machine import Machine
from report import Report, StepFailed

HERE = pathlib.Path(__file__).resolve().parent
# Set inside the namespaces: the directory for everything that the run makes.
INSIDE = "SLUICE_GUEST_DIRECTORY"
# One network for each path between gateway and guest.
NETWORKS = [("tap0", "10.98.0"), ("tap1", "10.98.1")]
GROUPS = ["files", "changes", "disks", "access", "cluster", "kills", "multipath"]


def run_in_namespaces():
    """Runs this program once more in namespaces; what is left of them and of its directory ends with this process."""
    directory = tempfile.mkdtemp(prefix="sluice-guest-")
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc"]
    command += ["--kill-child=SIGKILL"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    child = subprocess.Popen([*command, sys.executable, *sys.argv], env={**os.environ, INSIDE: directory})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return child.wait()
    finally:
        child.kill()
        child.wait()
        shutil.rmtree(directory, ignore_errors=True)


def make_networks():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for tap, network in NETWORKS:
        subprocess.run(["ip", "tuntap", "add", tap, "mode", "tap"], check=True)
        subprocess.run(["ip", "address", "add", f"{network}.1/24", "dev", tap], check=True)
        subprocess.run(["ip", "link", "set", tap, "up"], check=True)


def prepare(machine):
    for number, (_, network) in enumerate(NETWORKS):
        machine.run(f"network {number} {network}.2/24")
    # With times, to be laid beside those of the gateway's log.
    machine.run("(iscsid -f 2>&1 | while read -r line; do echo \"$(date +%T.%N) $line\"; done) "
                ">/tmp/iscsid.log 2>&1 3>&- &")


def run_group(name, report, gateway, arguments, directory):
    with Machine(arguments.image.resolve(), directory / name, [tap for tap, _ in NETWORKS]) as machine:
        report.kernel = machine.kernel
        try:
            prepare(machine)
            if name == "kills":
                kills.run(report, gateway, machine, arguments.rounds, arguments.seed)
            else:
                module = {"files": filesystems, "changes": changes, "disks": disks, "access": access,
                          "cluster": cluster, "multipath": multipath}[name]
                module.run(report, gateway, machine)
        finally:
            for log in ["dmesg", "cat /tmp/iscsid.log"]:
                try:
                    text = machine.run(log, 30)
                    (directory / name / f"{log.split('/')[-1].split('.')[0]}.log").write_text(text)
                except Exception as error:
                    print(f"guest-test: no {log} of the guest: {error}", file=sys.stderr)


def write_logs(directory, destination):
    """What a person needs after a failure; disks and journals are not part of it."""
    for log in list(directory.rglob("*.log")) + list(directory.glob("gateway/log")):
        target = destination / log.relative_to(directory)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, target)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help="directory of the executables")
    parser.add_argument("--image", type=pathlib.Path, default=HERE.parent.parent / ".tools" / "guest")
    parser.add_argument("--only", choices=GROUPS, action="append", help="run some of the groups")
    parser.add_argument("--rounds", type=int, default=6, help="kills of the frontend and of the cache manager, each")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--output", type=pathlib.Path, help="the document to write")
    parser.add_argument("--logs", type=pathlib.Path, help="directory for the logs of guest and gateway")
    arguments = parser.parse_args()
    if INSIDE not in os.environ:
        return run_in_namespaces()
    make_networks()
    report, directory = Report(), pathlib.Path(os.environ[INSIDE])
    addresses = [f"{network}.1" for _, network in NETWORKS]
    with Gateway(arguments.binaries.resolve(), directory / "gateway", addresses) as gateway:
        for group in arguments.only or GROUPS:
            try:
                run_group(group, report, gateway, arguments, directory)
            except StepFailed:
                pass  # The step has said what; the other groups do not depend on it.
    if report.has_failed and not arguments.logs:
        arguments.logs = pathlib.Path("guest-test-logs")
    if arguments.logs:
        write_logs(directory, arguments.logs)
        print(f"guest-test: logs are in {arguments.logs}")
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    document = report.document(
        f"{today}, guest Linux {report.kernel} without KVM, host with {os.cpu_count()} processors, load average "
        f"{os.getloadavg()[1]:.1f} of the last five minutes.")
    if arguments.output:
        arguments.output.write_text(document)
    print(document)
    return 1 if report.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
