#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Changed PDUs against a target over the network, at a high rate, while another session does its work.

Either `--binaries`, for a gateway of its own with a volume for the fuzzing and one for the other session, or `--url`
of a target whose contents are lost, and `--load-url` of another volume. The sequences are those of `--seed`; what the
target answers in between has a part in them, so that a run is repeated in kind, not byte by byte.
"""
import argparse, multiprocessing, pathlib, random, resource, statistics, sys, time

import flood, fuzz_worker
from load import Load, is_served
from process import ProcessWatch
from targets import temporary_gateway
from wire import Address

# Descriptors that may be open more than before, and memory that may be taken after the first tenth.
DESCRIPTORS, MEMORY_GROWTH = 8, 48 << 20
MEASURED_SECONDS, MEASUREMENTS = 4, 3


class Fuzzing:
    def __init__(self, arguments):
        self.arguments, self.failures = arguments, []
        self.address = Address(arguments.url)
        self.watch = ProcessWatch(arguments.pid) if arguments.pid else None
        self.shared = fuzz_worker.Shared(arguments.workers)

    def report(self, text):
        print(f"fuzz: {text}", flush=True)

    def fail(self, text):
        self.failures.append(text)
        self.report(f"FAILED: {text}")

    def run(self):
        load_url = self.arguments.load_url or self.arguments.url
        self.report(f"seed {self.arguments.seed}")
        with Load(Address(load_url), compare=load_url != self.arguments.url) as load:
            time.sleep(1)
            if self.watch:
                self.watch.begin()
            if self.arguments.flood:
                served = lambda: is_served(self.arguments.url)
                for failure in flood.run(
                        self.address, load, served, self.report, self.arguments.idle_targets, self.watch):
                    self.fail(failure)
            else:
                self.fuzz(load)
            time.sleep(1)
        complaints = load.all_complaints()
        for complaint in complaints[:5]:
            self.report(f"the session beside: {complaint}")
        if complaints and load.compare:
            self.fail(f"the session beside had {len(complaints)} complaints")
        self.report(f"the session beside: {load.rounds.value} rounds compared, the longest {load.longest.value:.2f} s")
        if not is_served(self.arguments.url):
            self.fail("no login goes through at the end")
        self.look_at_process()
        self.report(f"{len(self.failures)} failures" if self.failures else "passed")
        return 1 if self.failures else 0

    def fuzz(self, load):
        processes = fuzz_worker.start(self.address, self.arguments.seed, self.shared)
        try:
            if self.arguments.measure:
                self.measure(load)
            self.send_all(processes)
        finally:
            self.shared.ending.set()
            for process in processes:
                process.join(15)
                if process.is_alive():
                    process.kill()
                    process.join()

    def measure(self, load):
        """The load alone and beside fuzzing at a fixed rate, by turns; the processors are shared by all of them."""
        ratios = []
        for _ in range(MEASUREMENTS):
            self.shared.rate.value = 0
            time.sleep(0.5)
            alone = load.rate(MEASURED_SECONDS)
            before, self.shared.rate.value = self.shared.total(self.shared.read), self.arguments.measured_rate
            begun = time.monotonic()
            beside = load.rate(MEASURED_SECONDS)
            rate = (self.shared.total(self.shared.read) - before) / (time.monotonic() - begun)
            ratios.append(beside / alone if alone else 0)
            self.report(f"load alone {alone:.0f} rounds/s, beside {rate:.0f} PDUs/s {beside:.0f} ({ratios[-1]:.0%})")
        ratio = statistics.median(ratios)
        self.report(f"load under fuzzing: {ratio:.0%} of what it is alone")
        if ratio < self.arguments.least_load / 100:
            self.fail(f"the load reaches {ratio:.0%} under fuzzing, {self.arguments.least_load} % are due")

    def where(self):
        return f"rounds {list(self.shared.rounds)} of seed {self.arguments.seed}"

    def send_all(self, processes):
        shared, arguments = self.shared, self.arguments
        shared.rate.value = arguments.rate or -1
        begun, start, warm, last, quiet = time.monotonic(), shared.total(shared.read), None, 0, time.monotonic()
        due = start + arguments.pdus
        while shared.total(shared.read) < due and all(process.is_alive() for process in processes):
            time.sleep(0.5)
            count = shared.total(shared.read)
            if warm is None and count - start > arguments.pdus / 10 and self.watch:
                warm = self.watch.resident()
            if count != last:
                last, quiet = count, time.monotonic()
            if self.watch and not self.watch.is_alive:
                return self.fail(f"process {self.watch.pid} ended; {self.where()}")
            if time.monotonic() - quiet > 30:
                return self.fail(f"nothing is answered for 30 s; {self.where()}")
        if not all(process.is_alive() for process in processes):
            self.fail("a worker ended: a fault of this program")
        seconds = time.monotonic() - begun
        self.report(
            f"{shared.total(shared.sent)} PDUs sent, {shared.total(shared.read)} of them surely read, "
            f"{(shared.total(shared.read) - start) / seconds:.0f} a second; {shared.total(shared.answers)} answers, "
            f"{shared.total(shared.connections)} connections, {shared.total(shared.refused)} refused or broken off")
        if warm:
            grown = self.watch.resident() - warm
            self.report(f"memory since the first tenth: {grown / (1 << 20):+.1f} MiB")
            if grown > MEMORY_GROWTH:
                self.fail(f"{grown >> 20} MiB more than after the first tenth")

    def look_at_process(self):
        if not self.watch:
            return
        if not self.watch.is_alive:
            return self.fail(f"process {self.watch.pid} is gone or was started again")
        end = time.monotonic() + 20
        while self.watch.descriptors() > self.watch.descriptors_before + DESCRIPTORS and time.monotonic() < end:
            time.sleep(0.2)
        self.report(f"process {self.watch.pid}: {self.watch}")
        if self.watch.descriptors() > self.watch.descriptors_before + DESCRIPTORS:
            self.fail(f"{self.watch.descriptors()} descriptors are open, {self.watch.descriptors_before} before")


def own_gateway(arguments):
    with temporary_gateway("fuzz", arguments) as (gateway, arguments.load_url):
        if arguments.flood:
            arguments.idle_targets = [
                gateway.create(f"idle-{number}", "1GiB", "--upload-buffer", "128MiB")
                for number in range(-(-flood.IDLE // flood.SESSIONS_PER_TARGET))]
        status = Fuzzing(arguments).run()
        if gateway.frontend_pid() != arguments.pid:
            print("fuzz: FAILED: the frontend was started again")
            status = 1
        sessions = gateway.metric("sluice_iscsi_sessions")
        print(f"fuzz: {sessions:.0f} sessions at the end by the gateway's metrics")
        return status


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--binaries", type=pathlib.Path, help="directory of the executables")
    where.add_argument("--url", help="iscsi://HOST:PORT/TARGET/LUN of 1 GiB, whose contents are lost")
    parser.add_argument("--load-url", help="another volume, of the session beside")
    parser.add_argument("--pid", type=int, help="the process that is watched")
    parser.add_argument("--pdus", type=int, default=100_000, help="stop when the target has read so many")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0, help="PDUs a second, of all workers; 0 for no limit")
    parser.add_argument("--no-measure", dest="measure", action="store_false", help="leave out the load's measurement")
    parser.add_argument("--measured-rate", type=float, default=2000, help="PDUs a second while the load is measured")
    parser.add_argument("--least-load", type=float, default=90, help="per cent of its rate alone that the load is due")
    parser.add_argument("--flood", action="store_true", help="connections and logins in masses instead of PDUs")
    parser.add_argument("--log", type=pathlib.Path, help="where to keep the log of a gateway of its own")
    arguments = parser.parse_args()
    arguments.idle_targets = None
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    multiprocessing.set_start_method("fork")
    return own_gateway(arguments) if arguments.binaries else Fuzzing(arguments).run()


if __name__ == "__main__":
    sys.exit(main())
