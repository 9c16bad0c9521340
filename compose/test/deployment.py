# SPDX-License-Identifier: Apache-2.0
"""The gateway of compose.yaml, as its users and its breakers see it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.parse
import urllib.request

from daemon import PROMETHEUS, REPOSITORY, S3, SLUICE, TOOLS, Failure, attempt, docker, run, wait
from disks import SIZES, Disks

PROJECT = "sluice-test"
SERVICES = ["iscsi", "cache", "uploader", "snapshotter", "exporter", "s3", "prometheus"]
PROMETHEUS_PORT = 9090
TARGET = "iqn.2026-11.io.sluice"


# Without a change elsewhere: figures every few seconds, and volumes on disks that can be filled.
OVERRIDE = """
configs:
  prometheus: {{file: {directory}/prometheus.yml}}
volumes:
{volumes}
"""
VOLUME = "  {name}: {{driver: local, driver_opts: {{type: none, o: bind, device: {path}}}}}"


class Deployment:
    def __init__(self, directory):
        """Puts files of its own below `directory`."""
        self.settings = {
            "SLUICE_IMAGE": SLUICE, "S3_IMAGE": S3, "PROMETHEUS_IMAGE": PROMETHEUS,
            "SLUICE_JOURNAL_SIZE": "4GiB", "SLUICE_JOURNAL_VOLUME_BUFFER": "256MiB", "SLUICE_CACHE_SIZE": "1GiB",
            "SLUICE_COMMIT_INTERVAL": "2s",
        }  # fmt: skip
        self.scale = {}
        self.disks = Disks(directory)
        self.override = directory / "compose.test.yaml"
        volumes = "\n".join(VOLUME.format(name=name, path=self.disks.path(name)) for name in SIZES)
        self.override.write_text(OVERRIDE.format(directory=directory, volumes=volumes))
        shipped = (REPOSITORY / "compose/prometheus/prometheus.yml").read_text()
        (directory / "prometheus.yml").write_text(re.sub(r"(interval|timeout): 1[05]s", r"\1: 4s", shipped))

    # MARK: Compose

    def command(self, *arguments):
        return [
            TOOLS / "venv/bin/docker-compose", "--progress", "quiet", "--project-name", PROJECT,
            "--file", REPOSITORY / "compose/compose.yaml", "--file", self.override, *arguments,
        ]  # fmt: skip

    def environment(self):
        return {**os.environ, **self.settings}

    def compose(self, *arguments, **options):
        return run(*self.command(*arguments), env=self.environment(), **options)

    def up(self, **scale):
        """Starts what is missing and returns how long it took until everything is healthy."""
        self.scale |= scale
        ports = self.scale.get("iscsi", 1)
        self.settings["SLUICE_ISCSI_PORTS"] = "3260" if ports == 1 else f"3260-{3259 + ports}"
        scales = [part for name, count in self.scale.items() for part in ("--scale", f"{name}={count}")]
        begin = time.monotonic()
        try:
            self.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "240", *scales)
        except Failure as error:
            raise Failure(f"{error}\n{self.logs()}") from None
        return time.monotonic() - begin

    def logs(self, lines=15):
        """Of Sluice's own services: SeaweedFS says much."""
        return self.compose("logs", "--no-color", "--tail", lines, *SERVICES[:5], check=False)

    def sluice(self, *arguments, **options):
        return self.compose("run", "--rm", "-T", "--no-deps", "cli", *arguments, **options)

    def doctor(self):
        """Its exit status, and what it printed."""
        return attempt(*self.command("run", "--rm", "-T", "--no-deps", "cli", "doctor"), env=self.environment())

    def containers(self, service, everything=False):
        labels = [f"label=com.docker.compose.project={PROJECT}", f"label=com.docker.compose.service={service}"]
        filters = [part for label in labels for part in ("--filter", label)]
        names = docker("ps", *(["--all"] if everything else []), *filters, "--format", "{{.Names}}").split()
        return sorted(names)

    # MARK: What is seen from outside

    def address(self, name, network):
        text = docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", name)
        return json.loads(text)[f"{PROJECT}_{network}"]["IPAddress"]

    def portal(self, index=0):
        name = self.containers("iscsi")[index]
        return docker("port", name, "3260/tcp").split("\n")[0].strip()

    def url(self, volume, index=0):
        return f"iscsi://{self.portal(index)}/{TARGET}:{volume}/0"

    def create_volume(self, name, size="1GiB"):
        if f'"{name}"' not in self.sluice("volume", "list", "--json"):
            self.sluice("volume", "create", name, "--size", size)
        self.wait_for_target(name)

    def wait_for_target(self, name):
        for index in range(len(self.containers("iscsi"))):
            wait(f"target {name} appears", 30, lambda i=index: run("qemu-img", "info", self.url(name, i), timeout=10))

    def query(self, expression):
        query = urllib.parse.urlencode({"query": expression})
        address = f"http://127.0.0.1:{PROMETHEUS_PORT}/api/v1/query?{query}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    def value(self, expression):
        samples = self.query(expression)
        if len(samples) != 1:
            raise Failure(f"{expression} has {len(samples)} samples")
        return float(samples[0]["value"][1])

    def healthy(self, service):
        names = self.containers(service)
        return bool(names) and all(
            docker("inspect", "--format", "{{.State.Health.Status}}", name).strip() == "healthy" for name in names
        )

    def wait_healthy(self, service, seconds=90):
        return wait(f"{service} is healthy", seconds, lambda: self.healthy(service))

    # MARK: Breaking things

    def process(self, name):
        return int(docker("inspect", "--format", "{{.State.Pid}}", name))

    def kill(self, name):
        """SIGKILL as the kernel would send it: `docker kill` would count as stopped on purpose. Returns how long it
        took until the process is there again."""
        old = self.process(name)
        os.kill(old, signal.SIGKILL)
        begin = time.monotonic()
        wait(f"{name} starts again", 60, lambda: self.process(name) not in (0, old), step=0.05)
        return time.monotonic() - begin

    @contextlib.contextmanager
    def hung(self, name):
        docker("pause", name)
        try:
            yield
        finally:
            docker("unpause", name)

    @contextlib.contextmanager
    def cut_off(self, name, service, network):
        network = f"{PROJECT}_{network}"
        docker("network", "disconnect", network, name)
        try:
            yield
        finally:
            docker("network", "connect", "--alias", service, "--alias", name, network, name)

    # MARK: End

    def down(self):
        self.compose("--profile", "tools", "down", "--volumes", "--remove-orphans", timeout=400)

    def leftovers(self):
        label = f"label=com.docker.compose.project={PROJECT}"
        kinds = {"container": ["--all"], "volume": [], "network": []}
        return {
            kind: left
            for kind, more in kinds.items()
            if (left := docker(kind, "ls", *more, "--quiet", "--filter", label).split())
        }


def convert(source, target, *options):
    result = subprocess.run(
        ["qemu-img", "convert", *options, "-f", "raw", "-O", "raw", source, target], capture_output=True, text=True
    )
    if result.returncode != 0:
        raise Failure(f"qemu-img convert {source}: {result.stderr}")
