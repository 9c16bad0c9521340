#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of a gateway with the Linux kernel's initiator, in a virtual machine without KVM (`make guest-test`).

Everything runs in a network and process namespace of its own: the machine's and the gateway's addresses are nobody
else's, a path can be cut by nftables, and whatever happens to this program ends what it has started. Needs root, or user
namespaces; the image is built by build.sh, and the Debian packages are those of `scripts/setup.sh guest`.
"""
import argparse, datetime, os, pathlib, random, shutil, subprocess, sys, tempfile, traceback

import filesystems, kills, multipath
from gateway import Gateway
from machine import Machine
from report import Report, StepFailed

HERE = pathlib.Path(__file__).resolve().parent
INSIDE = "SLUICE_GUEST_NAMESPACE"
# One network for each path between gateway and guest.
NETWORKS = [("tap0", "10.98.0"), ("tap1", "10.98.1")]
GROUPS = ["files", "kills", "multipath"]


def enter_namespace():
    """Runs this program once more in namespaces, which end with it."""
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    if os.geteuid() != 0:
        command.append("--map-root-user")
    os.execvpe(command[0], [*command, sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})


def make_networks():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for tap, network in NETWORKS:
        subprocess.run(["ip", "tuntap", "add", tap, "mode", "tap"], check=True)
        subprocess.run(["ip", "address", "add", f"{network}.1/24", "dev", tap], check=True)
        subprocess.run(["ip", "link", "set", tap, "up"], check=True)


def boot(arguments, directory):
    return Machine(arguments.image.resolve(), directory, [tap for tap, _ in NETWORKS])


def prepare(machine):
    for number, (_, network) in enumerate(NETWORKS):
        machine.run(f"network {number} {network}.2/24")
    # Where systemd would start it at the first login. With times, to be laid beside those of the gateway's log.
    machine.run("(iscsid -f -d 1 2>&1 | while read -r line; do echo \"$(date +%T.%N) $line\"; done) "
                ">/tmp/iscsid.log 2>&1 </dev/null 3>&- &")


def run_group(name, report, gateway, arguments, directory):
    with boot(arguments, directory / name) as machine:
        report.kernel = machine.kernel
        try:
            prepare(machine)
            if name == "files":
                filesystems.run(report, gateway, machine)
            elif name == "kills":
                kills.run(report, gateway, machine, arguments.rounds, arguments.seed)
            else:
                multipath.run(report, gateway, machine)
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
        enter_namespace()
    make_networks()
    report, directory = Report(), pathlib.Path(tempfile.mkdtemp(prefix="sluice-guest-"))
    try:
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
    finally:
        shutil.rmtree(directory, ignore_errors=True)
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
