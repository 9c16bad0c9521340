#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long volumes stand still for snapshots under load, and how long snapshots and clones take.

Needs release executables (`--binaries`) and qemu-utils with the iSCSI driver. Two volumes are written with 4 KiB
requests at a depth that gives more than 10,000 a second, while snapshots of one, then groups of both are made. The
pause is what the cache manager measures: the part of its loop's turn in which volumes are cut, the beginning of their
uploads included. Then a snapshot and a clone of a small and of a large volume, command line tool included.
"""
import argparse, json, pathlib, re, shutil, socket, statistics, subprocess, sys, tempfile, time, urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, seconds=30):
    end = time.time() + seconds
    while time.time() < end:
        try:
            if condition():
                return
        except (subprocess.CalledProcessError, OSError):
            pass
        time.sleep(0.1)
    sys.exit(f"{what}: not within {seconds} s")


class Gateway:
    def __init__(self, binaries, directory):
        self.sluice_path = binaries / "sluice"
        self.configuration = directory / "gateway.yaml"
        self.portal, self.exporter = free_port(), free_port()
        for name in ["state", "run", "journal", "cache", "bucket"]:
            (directory / name).mkdir()
        self.configuration.write_text(
            f"""state: {{directory: state}}
run: {{directory: run}}
journal: {{directories: [journal], size: 8GiB, volume_buffer: 1GiB}}
cache: {{directories: [cache]}}
bucket: {{url: "file://{directory}/bucket"}}
iscsi: {{listen: ["127.0.0.1:{self.portal}"]}}
exporter: {{listen: "127.0.0.1:{self.exporter}"}}
"""
        )
        self.log = open(directory / "log", "w")
        self.process = subprocess.Popen(
            [self.sluice_path, "up", "--config", self.configuration], stdout=self.log, stderr=self.log
        )
        wait_for("the gateway", lambda: self.sluice("status", "--wait", "1s") is not None)

    def sluice(self, *arguments):
        command = [self.sluice_path, *arguments, "--config", self.configuration]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def url(self, volume):
        return f"iscsi://127.0.0.1:{self.portal}/iqn.2026-11.io.sluice:{volume}/0"

    def create(self, volume, size):
        self.sluice("volume", "create", volume, "--size", size)
        wait_for(volume, lambda: subprocess.run(["qemu-img", "info", self.url(volume)], capture_output=True,
                                                check=True))

    def metric(self, name):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.exporter}/metrics").read().decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))

    def stop(self):
        self.process.terminate()
        self.process.wait()


def load(gateway, volume, count, depth):
    command = ["qemu-img", "bench", "-f", "raw", "-t", "none", "-w", "--pattern=165", "-s", "4096"]
    command += ["-d", str(depth), "-c", str(count), gateway.url(volume)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def under_load(gateway, volumes, count, depth):
    """Snapshots one after the other until the load ends."""
    writes = gateway.metric("sluice_volume_write_operations_total")
    processes = [load(gateway, volume, count, depth) for volume in volumes]
    time.sleep(2)
    begin, pauses, times = time.time(), [], []
    while all(process.poll() is None for process in processes):
        before = gateway.metric("sluice_snapshot_pause_seconds_total")
        start = time.time()
        gateway.sluice("snapshot", "create", *volumes, "--no-wait")
        times.append(time.time() - start)
        pauses.append(gateway.metric("sluice_snapshot_pause_seconds_total") - before)
        time.sleep(1.5)
    for process in processes:
        process.communicate()
    elapsed = time.time() - begin + 2
    rate = (gateway.metric("sluice_volume_write_operations_total") - writes) / elapsed
    return rate, pauses, times


def timed(work):
    start = time.time()
    result = work()
    return result, time.time() - start


def sizes(gateway):
    rows = []
    for size in ["1GiB", "32TiB"]:
        name = "v" + size.lower()
        gateway.create(name, size)
        snapshots, clones = [], []
        for number in range(3):
            subprocess.run(
                ["qemu-io", "-f", "raw", "-c", f"write -P {number + 1} 0 4M", gateway.url(name)], check=True,
                capture_output=True,
            )
            made, taken = timed(lambda: json.loads(gateway.sluice("snapshot", "create", name, "--json")))
            snapshots.append(taken)
            command = ["volume", "create", f"{name}-{number}", "--snapshot", made["id"], "--upload-buffer", "128MiB"]
            _, taken = timed(lambda: gateway.sluice(*command))
            clones.append(taken)
        rows.append((size, statistics.median(snapshots), statistics.median(clones)))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", type=pathlib.Path, required=True)
    parser.add_argument("--writes", type=int, default=250_000)
    parser.add_argument("--depth", type=int, default=32, help="writes at once, of all volumes together")
    arguments = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-snapshots-"))
    gateway = Gateway(arguments.binaries.resolve(), directory)
    try:
        for volume in ["db", "log"]:
            gateway.create(volume, "4GiB")
        for volumes in [["db"], ["db", "log"]]:
            rate, pauses, times = under_load(
                gateway, volumes, arguments.writes // len(volumes), max(1, arguments.depth // len(volumes)))
            print(
                f"{' and '.join(volumes)}: {rate:.0f} writes/s, {len(pauses)} cuts, pause median "
                f"{statistics.median(pauses) * 1000:.2f} ms, longest {max(pauses) * 1000:.2f} ms; "
                f"promised after {statistics.median(times):.2f} s (median), {max(times):.2f} s (longest)"
            )
        for size, snapshot, clone in sizes(gateway):
            print(f"{size}: snapshot {snapshot:.2f} s with its upload of 4 MiB, clone {clone:.2f} s")
    finally:
        gateway.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
