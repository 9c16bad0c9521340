#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sluice against Debian's tgt with a file-backed LUN in the page cache, in one run.

Rounds alternate between the targets; the ratio of a workload is the median over rounds of Sluice's figure divided by
tgt's in the same round. Needs release executables (`--binaries`), tgt, qemu-utils with the iSCSI driver. Everything
listens on loopback with ports and directories of its own and is removed at the end.
"""
import argparse, json, os, pathlib, platform, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

GIB = 1 << 30
BUFFER_GIB = 4
WORKLOADS = [
    # name, qemu-img bench arguments, unit
    ("4 KiB read, depth 1", ["-s", "4096", "-d", "1", "-c", "10000"], "IOPS"),
    ("4 KiB write, depth 1", ["-w", "--pattern=165", "-s", "4096", "-d", "1", "-c", "10000"], "IOPS"),
    ("4 KiB read, depth 32", ["-s", "4096", "-d", "32", "-c", "60000"], "IOPS"),
    ("4 KiB write, depth 32", ["-w", "--pattern=165", "-s", "4096", "-d", "32", "-c", "60000"], "IOPS"),
    ("1 MiB read, depth 16", ["-s", "1048576", "-d", "16", "-c", "1000"], "MB/s"),
    ("1 MiB write, depth 16", ["-w", "--pattern=165", "-s", "1048576", "-d", "16", "-c", "240"], "MB/s"),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


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


def keep_in_page_cache(path):
    """What was read or written is in the page cache; the kernel may take it away when it is idle."""
    with open(path, "rb") as file:
        while file.read(16 << 20):
            pass


def memory(pids):
    """Resident bytes of the processes."""
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                total += int(line.split()[1]) * 1024
    return total


def cpu_seconds(pids):
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


class Tgt:
    name = "tgt"

    def __init__(self, directory, size):
        self.port, self.control = free_port(), str(os.getpid() % 30000)
        self.image = directory / "tgt.img"
        with open(self.image, "wb") as image:
            for _ in range(size // (64 << 20)):
                image.write(bytes(64 << 20))
        self.process = subprocess.Popen(
            ["tgtd", "-f", "-C", self.control, "--iscsi", f"portal=127.0.0.1:{self.port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"iscsi://127.0.0.1:{self.port}/iqn.2026-11.bench:t/1"
        wait_for("tgtd answers", lambda: self.admin("--op", "show", "--mode", "system") is not None)
        self.admin("--op", "new", "--mode", "target", "--tid", "1", "-T", "iqn.2026-11.bench:t")
        self.admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", str(self.image))
        self.admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")

    def admin(self, *arguments):
        return run("tgtadm", "-C", self.control, "--lld", "iscsi", *arguments)

    def pids(self):
        return [self.process.pid]

    def settle(self):
        keep_in_page_cache(self.image)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Sluice:
    name = "sluice"

    def __init__(self, directory, size, binaries):
        self.directory, self.binaries = directory / "sluice", binaries
        self.port, exporter = free_port(), free_port()
        for name in ("state", "run", "journal", "cache", "bucket"):
            (self.directory / name).mkdir(parents=True)
        self.configuration = self.directory / "gateway.yaml"
        self.configuration.write_text(
            f"state: {{directory: state}}\nrun: {{directory: run}}\n"
            f"journal: {{directories: [journal], size: {BUFFER_GIB}GiB, volume_buffer: {BUFFER_GIB}GiB}}\n"
            f"cache: {{directories: [cache]}}\n"
            f"bucket: {{url: \"file://{self.directory}/bucket\"}}\niscsi: {{listen: [\"127.0.0.1:{self.port}\"]}}\n"
            f"exporter: {{listen: \"127.0.0.1:{exporter}\"}}\ncommit: {{interval: 300s}}\n")
        self.log = open(self.directory / "log", "w")
        self.process = subprocess.Popen(
            [binaries / "sluice", "up", "--config", str(self.configuration)], stdout=self.log, stderr=self.log)
        wait_for("sluice answers", lambda: self.cli("volume", "list") is not None)
        self.cli("volume", "create", "bench", "--size", f"{size // GIB}GiB")
        self.url = f"iscsi://127.0.0.1:{self.port}/iqn.2026-11.io.sluice:bench/0"
        wait_for("the target appears", lambda: "bench" in run("iscsi-ls", f"iscsi://127.0.0.1:{self.port}"))

    def cli(self, *arguments):
        return run(self.binaries / "sluice", *arguments, "--config", str(self.configuration))

    def pids(self):
        run_directory = self.directory / "run"
        return [int(path.read_text()) for path in run_directory.glob("*.pid") if path.name[:5] in ("iscsi", "cache")]

    def settle(self):
        # Nothing is left to upload, so that a run measures the journal and not the end of the run before.
        self.cli("volume", "sync", "bench")
        for segment in (self.directory / "journal").rglob("*"):
            if segment.is_file():
                keep_in_page_cache(segment)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def bench(target, arguments, size):
    """One run of qemu-img bench over the first part of the LUN, sequential offsets. Returns requests per second."""
    before = cpu_seconds(target.pids())
    output = run("qemu-img", "bench", "-f", "raw", "-t", "none", "-n", *arguments, target.url)
    seconds = float(re.search(r"completed in ([0-9.]+) seconds", output).group(1))
    count = int(arguments[arguments.index("-c") + 1])
    return count / seconds, (cpu_seconds(target.pids()) - before) / count * 100_000


def commit_throughput(sluice):
    """Incompressible random data through the volume until all of it is in the bucket. Returns MB/s."""
    source = sluice.directory / "random.img"
    with open("/dev/urandom", "rb") as random, open(source, "wb") as image:
        for _ in range(32):
            image.write(random.read(16 << 20))
    begun = time.time()
    run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", str(source), sluice.url)
    sluice.cli("volume", "sync", "bench")
    return (512 << 20) / 1e6 / (time.time() - begun)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help="directory of the release executables")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("docs/benchmarks"))
    parser.add_argument("--name", default="peers")
    options = parser.parse_args()
    size = GIB
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    targets = []
    results = {name: [] for name, _, _ in WORKLOADS}
    try:
        targets = [Tgt(directory, size), Sluice(directory, size, options.binaries)]
        # Every block is written, so that reads hit data, and so often that the journal recycles its segments as it
        # does for the rest of its life.
        for target in targets:
            for _ in range(BUFFER_GIB + 1):
                run("qemu-img", "bench", "-f", "raw", "-t", "none", "-n", "-w", "--pattern=165",
                    "-s", "1048576", "-d", "16", "-c", "1024", target.url)
                target.settle()
        for number in range(options.rounds):
            for name, arguments, unit in WORKLOADS:
                row = {}
                for target in targets if number % 2 == 0 else targets[::-1]:
                    target.settle()
                    rate, cpu = bench(target, arguments, size)
                    if unit == "MB/s":
                        rate *= 1.048576
                    row[target.name] = {"rate": rate, "cpu_seconds_per_100k": cpu}
                results[name].append(row)
                rates = ", ".join(f"{peer} {figures['rate']:.0f}" for peer, figures in sorted(row.items()))
                print(f"round {number + 1}: {name}: {rates} {unit}", flush=True)
        rss = {target.name: memory(target.pids()) for target in targets}
        commit = [commit_throughput(targets[1]) for _ in range(3)]
    finally:
        for target in targets:
            target.stop()
        shutil.rmtree(directory, ignore_errors=True)
    report(results, rss, commit, options)


def report(results, rss, commit, options):
    def median(name, target, field):
        return statistics.median(row[target][field] for row in results[name])

    lines = [
        "# Sluice and tgt, same machine, same run", "",
        f"{options.rounds} alternating rounds, medians. {platform.machine()}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}; client `qemu-img bench` on the same machine; tgt with a file-backed LUN in the "
        "page cache; Sluice over ZeroMQ, journalled and checksummed.", "",
        "| workload | tgt | Sluice | ratio | CPU s per 100 k I/O: tgt | Sluice |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    summary = {}
    for name, _, unit in WORKLOADS:
        ratio = statistics.median(row["sluice"]["rate"] / row["tgt"]["rate"] for row in results[name])
        summary[name] = ratio
        lines.append(
            f"| {name} | {median(name, 'tgt', 'rate'):.0f} {unit} | {median(name, 'sluice', 'rate'):.0f} {unit} | "
            f"{ratio:.2f}× | {median(name, 'tgt', 'cpu_seconds_per_100k'):.2f} | "
            f"{median(name, 'sluice', 'cpu_seconds_per_100k'):.2f} |")
    lines += [
        "", f"Memory after the runs (resident): tgt {rss['tgt'] / 1e6:.0f} MB, Sluice frontend and cache manager "
        f"{rss['sluice'] / 1e6:.0f} MB.",
        f"Commit of 512 MiB of incompressible data to a directory bucket: {statistics.median(commit):.0f} MB/s.", "",
        "Repeat with `make bench`.", ""]
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / f"{options.name}.md").write_text("\n".join(lines))
    (options.output / f"{options.name}.json").write_text(
        json.dumps(
            {"ratios": summary, "rounds": results, "resident_bytes": rss, "commit_mb_per_s": commit}, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
