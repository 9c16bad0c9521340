# SPDX-License-Identifier: Apache-2.0
"""What a run has to reach for the exit status to be 0."""
import dataclasses

from knowledge import EXPECTED_SKIPS, LEAST_PASSED, is_excused
from profiles import PROFILES
from suite import select


@dataclasses.dataclass
class Gate:
    name: str
    title: str
    # None: it was not run.
    complaints: list | None

    @property
    def failed(self):
        return bool(self.complaints)

    @property
    def verdict(self):
        if self.complaints is None:
            return "not run"
        return "; ".join(self.complaints) if self.complaints else "reached"

    def __str__(self):
        return f"{self.name}, {self.title}: {'FAILED: ' if self.failed else ''}{self.verdict}"


def evaluate(results, ours, is_selection):
    """G1, G2 and G3 of the base profile, G5 for each of the others."""
    gates = [
        Gate("G1", "all tests in one process, one path", whole(results, "base", ours, "whole-1")),
        Gate("G2", "all tests in one process, two paths", whole(results, "base", ours, "whole-2")),
        Gate("G3", "each test in its own process, two paths", each(results, ours, is_selection)),
    ]
    for profile in PROFILES[1:]:
        for kind, paths in [("whole-1", "one path"), ("whole-2", "two paths")]:
            complaints = whole(results, profile.name, ours, kind, profile.must_pass)
            gates.append(Gate("G5", f"{profile.title}, {paths}", complaints))
    return gates


def why_missing(results, profile, ours):
    """A target that could not be run fails its gate; one without the switch, or not asked for, leaves it open."""
    reason = results.reasons.get((profile, ours), "")
    return [reason] if reason.startswith("could not") else None


def whole(results, profile, ours, kind, must_pass=()):
    run = results[profile, ours, kind]
    if run is None:
        return why_missing(results, profile, ours)
    complaints = []
    bad = [test for test, result in run.results.items() if result.status not in ("passed", "skipped")]
    if bad:
        complaints.append(f"{len(run.results) - len(bad)} of {len(run.results)} tests")
    elif run.exit_status != 0:
        complaints.append(f"exit status {run.exit_status}")
    for test in select(run.results, must_pass):
        if run.results[test].status == "skipped":
            complaints.append(f"{test} was skipped, so the profile was not in force")
    return complaints


def each(results, ours, is_selection):
    run = results["base", ours, "each-2"]
    if run is None:
        return why_missing(results, "base", ours)
    complaints = []
    bad = [test for test, result in run.results.items()
           if result.status not in ("passed", "skipped") and not is_excused(test, result)]
    skipped = [test for test, result in run.results.items()
               if result.status == "skipped" and test not in EXPECTED_SKIPS]
    if bad:
        complaints.append(f"{len(bad)} tests neither passed nor skipped")
    if skipped:
        complaints.append(f"{len(skipped)} skips that are not due")
    if not is_selection and run.count("passed") < LEAST_PASSED:
        complaints.append(f"{run.count('passed')} passed, {LEAST_PASSED} are due")
    return complaints
