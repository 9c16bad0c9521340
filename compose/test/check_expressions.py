#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a real Prometheus, which scrapes a real gateway, every expression of the alert rules and of the dashboard.

Every expression must parse, every metric that one names must exist, and every expression of the dashboard must return
samples, except those of MAY_BE_EMPTY. Prints one line per finding and exits 1 if there is any.
"""

import argparse
import contextlib
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

COMPOSE = pathlib.Path(__file__).resolve().parent.parent
# Parts of expressions of the dashboard that return nothing while nothing is wrong, and why.
MAY_BE_EMPTY = {
    "sluice_iscsi_logins_failed_total": "a series per status that a login was refused with; none was",
    "sluice_bus_refused_total": "shows reasons that occur; none does",
}
# What Grafana puts in.
VARIABLES = {"$__rate_interval": "10s", "$volume": ".*"}


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def dashboard_expressions(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        # Its samples are events.
        yield None, annotation["expr"]


def filled_in(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def metric_names(expression):
    return set(re.findall(r"\bsluice_[a-z0-9_]+", expression))


class Prometheus:
    def __init__(self, port):
        self.address = f"http://127.0.0.1:{port}/api/v1/"

    def get(self, path, **parameters):
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        try:
            with urllib.request.urlopen(self.address + path + query, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def query(self, expression):
        """The samples, or a message why there cannot be any."""
        answer = self.get("query", query=expression)
        if answer["status"] != "success":
            return answer["error"]
        return answer["data"]["result"]


class Process:
    """A child that is told to stop at the end, and killed if it does not listen."""

    def __init__(self, command, log):
        self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Gateway:
    """A gateway in a directory, with a little traffic of each kind."""

    def __init__(self, binaries, directory):
        self.sluice = str(binaries / "sluice")
        self.configuration = directory / "gateway.yaml"
        self.portal, self.exporter = free_port(), free_port()
        for name in ("state", "run", "journal", "cache", "bucket"):
            (directory / name).mkdir()
        self.configuration.write_text(
            "state: {directory: state}\nrun: {directory: run}\n"
            "journal: {directories: [journal], size: 1GiB, volume_buffer: 256MiB}\n"
            "cache: {directories: [cache], size: 256MiB}\n"
            f'bucket: {{url: "file://{directory}/bucket"}}\ncommit: {{interval: 2s}}\n'
            f'iscsi: {{listen: ["127.0.0.1:{self.portal}"]}}\nexporter: {{listen: "127.0.0.1:{self.exporter}"}}\n'
        )

    def command(self, *arguments):
        subprocess.run(
            [self.sluice, *arguments, "--config", str(self.configuration)], check=True, stdout=subprocess.DEVNULL
        )

    def prepare(self):
        self.command("status", "--wait", "60s")
        self.command("volume", "create", "checked", "--size", "1GiB")
        self.use()
        self.command("volume", "sync", "checked")
        self.command("snapshot", "create", "checked")

    def use(self):
        url = f"iscsi://127.0.0.1:{self.portal}/iqn.2026-11.io.sluice:checked/0"
        commands = ["write -P 0x5a 0 8M", "flush", "read -P 0x5a 0 8M"]
        arguments = [part for command in commands for part in ("-c", command)]
        for _ in range(50):
            result = subprocess.run(["qemu-io", "-f", "raw", *arguments, url], capture_output=True, text=True)
            if result.returncode == 0:
                return
            time.sleep(0.2)  # The target appears a moment after its volume.
        raise RuntimeError("qemu-io: " + result.stdout + result.stderr)


def configuration(exporter_ports, rules):
    targets = ", ".join(f'"127.0.0.1:{port}"' for port in exporter_ports)
    return (
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules}]\n"
        f"scrape_configs: [{{job_name: sluice, static_configs: [{{targets: [{targets}]}}]}}]\n"
    )


def findings(prometheus, dashboard):
    known = set(prometheus.get("label/__name__/values")["data"])
    groups = prometheus.get("rules")["data"]["groups"]
    rules = [(rule["name"], rule["query"], rule.get("lastError")) for group in groups for rule in group["rules"]]
    if not rules:
        yield "Prometheus has loaded no rules"
    for name, expression, error in rules:
        if error:
            yield f"{name}: {error}"
        for metric in sorted(metric_names(expression) - known):
            yield f"{name}: there is no metric {metric}"
    excused = set()
    for title, expression in dashboard_expressions(dashboard):
        samples = prometheus.query(filled_in(expression))
        if isinstance(samples, str):
            yield f"{title}: {samples}: {expression}"
            continue
        excuse = next((part for part in MAY_BE_EMPTY if part in expression), None)
        excused.add(excuse)
        if excuse is not None or title is None:
            continue
        for metric in sorted(metric_names(expression) - known):
            yield f"{title}: there is no metric {metric}"
        if not samples:
            yield f"{title}: no samples: {expression}"
        elif all(sample["value"][1] == "NaN" for sample in samples):
            yield f"{title}: only NaN: {expression}"
    for part in MAY_BE_EMPTY.keys() - excused:
        yield f"MAY_BE_EMPTY names {part}, which no expression has"
    # Not one of the alerts is about what such a gateway does.
    for alert in prometheus.get("alerts")["data"]["alerts"]:
        if alert["state"] == "firing":
            yield f"alert: {alert['labels']} {alert['annotations']['summary']}"


def check(binaries, prometheus_binary, directory):
    dashboard = json.loads((COMPOSE / "grafana/sluice.json").read_text())
    gateway, port = Gateway(binaries, directory), free_port()
    file = directory / "prometheus.yml"
    file.write_text(configuration([gateway.exporter], COMPOSE / "prometheus/rules.yml"))
    command = [
        prometheus_binary, f"--config.file={file}", f"--storage.tsdb.path={directory}/prometheus",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(directory / "log", "w", encoding="utf-8"))
        stack.enter_context(Process([gateway.sluice, "up", "--config", str(gateway.configuration)], log))
        gateway.prepare()
        stack.enter_context(Process(command, log))
        end = time.monotonic() + 12
        while time.monotonic() < end:
            gateway.use()  # Rates and quantiles are of the last seconds.
        return list(findings(Prometheus(port), dashboard))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", required=True, type=pathlib.Path, help="directory of the executables")
    parser.add_argument("--prometheus", default="prometheus")
    arguments = parser.parse_args()
    if shutil.which(arguments.prometheus) is None:
        sys.exit("there is no prometheus: scripts/setup.sh test installs it")
    with tempfile.TemporaryDirectory(prefix="sluice-expressions-") as directory:
        try:
            found = check(arguments.binaries.resolve(), arguments.prometheus, pathlib.Path(directory))
        except Exception:
            sys.stderr.write((pathlib.Path(directory) / "log").read_text()[-4000:])
            raise
    for finding in found:
        print(finding)
    if not found:
        print("every expression of rules and dashboard works")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
