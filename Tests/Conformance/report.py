# SPDX-License-Identifier: Apache-2.0
"""docs/conformance.md: a summary of all runs, then test by test ours beside the others'."""
import datetime, os, platform

import suite
from knowledge import (
    EXPECTED_SKIPS, HOOK_LEFT_BEHIND, SKIPPED_WITH_ONE_URL, TOOL_FAULTS, collateral, is_empty_pass, is_excused,
)
from profiles import PROFILES

HEADING = """# iSCSI and SCSI conformance

`make conformance` runs libiscsi's suite `iscsi-test-cu` against a gateway with two frontends and against Debian's tgt,
set up alike, in the same run. CUnit counts a skipped test as passed; here only those are passed that ran. "In one
process" is the whole suite at once, "each alone" a process for each test, which shows what a test does by itself.
"""
KINDS = {"whole-1": "in one process, one path", "whole-2": "in one process, two paths",
         "each-2": "each alone, two paths"}


def document(results, gates, ours, seconds):
    lines = [HEADING, "## The last run", "", facts(seconds), "", *command_lines(results), "", "## Gates", ""]
    lines += ["| gate | what | result |", "| --- | --- | --- |"]
    for gate in gates:
        result = f"**failed**: {gate.verdict}" if gate.failed else gate.verdict
        reason = next((results.reasons.get((profile.name, ours)) for profile in PROFILES
                       if gate.complaints is None and profile.title == gate.title), None)
        lines.append(f"| {gate.name} | {gate.title} | {cell(result)}{': ' + reason if reason else ''} |")
    lines += ["", "## All runs", "", *summary(results), ""]
    for profile in PROFILES:
        lines += details(results, profile, ours)
    return "\n".join(lines).rstrip() + "\n"


def facts(seconds):
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return (f"{today}, libiscsi {suite.version()}, {platform.machine()}, {os.cpu_count()} processors, "
            f"Linux {platform.release()}, {seconds / 60:.0f} minutes.")


def command_lines(results):
    """How the tool was called; ports are of that run."""
    kinds = {}
    for (_, _, kind), run in results.runs.items():
        kinds.setdefault(kind, run.command)
    return [f"- {KINDS[kind]}: `{command}`" for kind, command in kinds.items()]


def summary(results):
    lines = [f"| profile | run | target | tests | {' | '.join(suite.STATUSES)} | time |",
             "| --- | --- | --- " + "| ---: " * (len(suite.STATUSES) + 2) + "|"]
    for profile in PROFILES:
        for kind in profile.runs:
            for (name, label, other), run in results.runs.items():
                if (name, other) == (profile.name, kind):
                    counts = " | ".join(str(run.count(status)) for status in suite.STATUSES)
                    lines.append(f"| {name} | {KINDS[kind]} | {label} | {len(run.results)} | {counts} | "
                                 f"{run.seconds:.0f} s |")
    for (name, label), reason in results.reasons.items():
        lines.append(f"| {name} | not run | {label} |" + " |" * (len(suite.STATUSES) + 1) + f" {cell(reason)} |")
    return lines


def details(results, profile, ours):
    """Test by test; of the runs in one process only what is not as in the test's own process."""
    runs = {(label, kind): run for (name, label, kind), run in results.runs.items() if name == profile.name}
    labels = sorted({label for label, _ in runs}, key=lambda label: label != ours)
    if not runs:
        return []
    main = next(kind for kind in reversed(profile.runs) if any((label, kind) in runs for label in labels))
    lines = [f"## {profile.name}: {profile.title}", "", f"{KINDS[main][0].upper()}{KINDS[main][1:]}.", ""]
    lines += [f"| test | {' | '.join(labels)} | why |", "| --- " * (len(labels) + 2) + "|"]
    tests = next(run for (_, kind), run in runs.items() if kind == main).results
    for test in tests:
        found = [runs[label, main].results[test] if (label, main) in runs else None for label in labels]
        why = [f"{label}: {note}" for label, result in zip(labels, found)
               if result and (note := remark(test, result, profile, main))]
        cells = [show(test, result, main) for result in found]
        lines.append(f"| {test} | {' | '.join(cells)} | {cell('; '.join(why))} |")
    lines.append("")
    for label in labels:
        for kind in profile.runs:
            if kind != main and (label, kind) in runs and (label, main) in runs:
                lines += differences(label, kind, runs[label, kind], runs[label, main])
    return lines


def show(test, result, kind):
    if result is None:
        return ""
    if kind == "each-2" and is_excused(test, result):
        return f"{result.status} (the tool)"
    return result.status if result.status in ("passed", "skipped") else f"**{result.status}**"


def remark(test, result, profile, kind):
    if result.status == "passed":
        empty = is_empty_pass(test, result, profile.name)
        return "returns at once, as the medium is fixed" if empty else ""
    if kind == "each-2" and is_excused(test, result):
        return TOOL_FAULTS[test]
    if result.status == "skipped" and profile.name == "base" and test in EXPECTED_SKIPS:
        return f"{result.note} (due)"
    return result.note


def differences(label, kind, run, alone):
    """Tests of a whole run that did not end as they do alone."""
    by_hook = collateral(run, alone)
    others = {test: result for test, result in run.results.items()
              if result.status != alone.results[test].status and test not in by_hook
              and not (kind == "whole-1" and result.status == "skipped" and test in SKIPPED_WITH_ONE_URL)}
    lines = [f"{label}, {KINDS[kind]}: as each alone" + (", but:" if others or by_hook else "."), ""]
    for test, result in others.items():
        lines.append(f"- {test}: {result.status}, alone {alone.results[test].status}"
                     + (f": {result.note}" if result.note else "")
                     + (f" ({TOOL_FAULTS[test]})" if test in TOOL_FAULTS else ""))
    if by_hook:
        lines.append(f"- {len(by_hook)} failed, alone passed ({HOOK_LEFT_BEHIND}): {', '.join(sorted(by_hook))}")
    return lines + ([""] if others or by_hook else [])


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")
