#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks Prometheus's configuration and the alert rules with promtool, runs the rules' tests, and makes sure that each
alert is expected to come by one of them and to stay away by another."""

import pathlib
import re
import subprocess
import sys

PROMETHEUS = pathlib.Path(__file__).resolve().parent.parent / "prometheus"
DOCUMENT = PROMETHEUS.parent.parent / "docs/OPERATIONS.md"


def promtool(*arguments):
    result = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"promtool {' '.join(arguments)}:\n{result.stdout}{result.stderr}")


def expectations(text):
    """Names of alerts that tests expect, and of those that they expect not to come."""
    expected, unexpected = set(), set()
    for entry in re.split(r"\n\s*- (?=\{?eval_time)", text):
        if name := re.search(r"alertname: (\w+)", entry):
            (expected if "exp_alerts" in entry else unexpected).add(name[1])
    return expected, unexpected


def main():
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "rules.yml")
    promtool("test", "rules", "rules_test.yml")
    alerts = set(re.findall(r"- alert: (\w+)", (PROMETHEUS / "rules.yml").read_text()))
    expected, unexpected = expectations((PROMETHEUS / "rules_test.yml").read_text())
    document = DOCUMENT.read_text()
    findings = [f"no test expects {name}" for name in sorted(alerts - expected)]
    findings += [f"no test expects {name} to stay away" for name in sorted(alerts - unexpected)]
    findings += [f"docs/OPERATIONS.md does not explain {name}" for name in sorted(alerts) if name not in document]
    if findings:
        sys.exit("\n".join(findings))
    print(f"{len(alerts)} alert rules are valid, tested and explained")


if __name__ == "__main__":
    main()
