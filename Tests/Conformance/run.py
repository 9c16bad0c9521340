#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libiscsi's conformance suite against a gateway of ours and against tgt in the same run (`make conformance`).

Every profile gets a gateway of its own with two frontends, and a tgt set up alike. The suite runs as a whole with one
and with two paths, and each of its tests in a process of its own. Needs libiscsi-bin and, as root, tgt; everything
listens on loopback with ports and directories of its own and is removed at the end.
"""
import argparse, contextlib, pathlib, shutil, subprocess, sys, tempfile, time

import suite, targets
from gates import evaluate
from profiles import PROFILES
from report import document
from targets import ConformanceGateway, Oracle, Running, Tgt, Unavailable

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


class Results:
    """What has been run: profile, target and kind of run, to a Run or to the reason why there is none."""

    def __init__(self):
        self.runs, self.reasons = {}, {}

    def __getitem__(self, key):
        return self.runs.get(key)


def makers(arguments, profile, directory):
    """The targets that are wanted, ours first."""
    if arguments.url:
        return [("the target", lambda: Running(arguments.url))] if profile.name == "base" else []
    wanted = [("Sluice", lambda: ConformanceGateway(profile, directory / "sluice", arguments.binaries.resolve()))] \
        if arguments.binaries else []
    if arguments.tgt:
        wanted.append(("tgt", lambda: Tgt(profile, directory / "tgt")))
    if arguments.oracle:
        wanted.append(("oracle", lambda: Oracle(profile, directory / "oracle", arguments.oracle)))
    return wanted


def run_profile(arguments, profile, directory, results):
    tests = suite.select(suite.select(suite.all_tests(), profile.tests), arguments.test or ["*"])
    kinds = [kind for kind in profile.runs if kind in (arguments.run or profile.runs)]
    for label, make in makers(arguments, profile, directory) if tests and kinds else []:
        print(f"conformance: {profile.name}: {label} ...", flush=True)
        try:
            with make() as target:
                for kind in kinds:
                    run_kind(arguments, (profile.name, label, kind), tests, target.urls, directory, results)
        except Unavailable as reason:
            results.reasons[profile.name, label] = str(reason)
            print(f"conformance: {profile.name}: {label}: not run: {reason}", flush=True)
        except (targets.GatewayError, targets.WireError, subprocess.CalledProcessError, OSError) as error:
            # A target that does not start is a failure of its own runs, and of no other's.
            results.reasons[profile.name, label] = f"could not be run: {error}"
            print(f"conformance: {profile.name}: {label}: could not be run: {error}", file=sys.stderr, flush=True)


def run_kind(arguments, key, tests, urls, directory, results):
    profile, label, kind = key
    is_everything = len(tests) == len(suite.all_tests())
    with open(directory / f"{profile}.{label}.{kind}.log".replace(" ", "-"), "w") as log:
        if kind == "each-2":
            def progress(test, result):
                if result.status not in ("passed", "skipped"):
                    print(f"conformance: {profile}: {label}: {test}: {result.status}: {result.note}", flush=True)

            run = suite.run_each(tests, urls, arguments.timeout, log, progress)
        else:
            count = 1 if kind == "whole-1" else 2
            run = suite.run_whole(tests, urls[:count], arguments.whole_timeout, log, is_everything)
    results.runs[key] = run
    counts = ", ".join(f"{run.count(status)} {status}" for status in suite.STATUSES if run.count(status))
    print(f"conformance: {profile}: {label}: {kind}: {counts} ({run.seconds:.0f} s)", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=pathlib.Path, help="directory of the executables")
    parser.add_argument("--url", action="append", help="run against this target instead; twice for two paths")
    parser.add_argument("--no-tgt", dest="tgt", action="store_false", help="leave tgt out")
    parser.add_argument("--oracle", type=pathlib.Path, help="a model target, a Python program, as a third one")
    parser.add_argument("--profile", action="append", choices=[profile.name for profile in PROFILES])
    parser.add_argument("--run", action="append", choices=["whole-1", "whole-2", "each-2"])
    parser.add_argument("--test", action="append", metavar="PATTERN", help="only tests such as 'Read10.*'")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one test in its own process")
    parser.add_argument("--whole-timeout", type=float, default=900, help="seconds for all in one process")
    parser.add_argument("--output", type=pathlib.Path, help="the document to write")
    parser.add_argument("--logs", type=pathlib.Path, help="directory for what the tool and the targets print")
    parser.add_argument("--list", action="store_true", help="list profiles and what they need")
    arguments = parser.parse_args()
    if not arguments.list and not (arguments.binaries or arguments.url or arguments.oracle):
        parser.error("one of --binaries, --url and --oracle is needed")
    return arguments


def main():
    arguments = parse_arguments()
    if arguments.list:
        for profile in PROFILES:
            print(f"{profile.name}\t{profile.title}\t{profile.settings if profile.has_switch else 'no switch yet'}")
        return 0
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-conformance-"))
    results, begun = Results(), time.time()
    try:
        for profile in PROFILES:
            if profile.name in (arguments.profile or [profile.name]):
                (directory / profile.name).mkdir()
                run_profile(arguments, profile, directory / profile.name, results)
        ours = "the target" if arguments.url else "Sluice" if arguments.binaries else "oracle"
        gates = evaluate(results, ours, is_selection=bool(arguments.test or arguments.run or arguments.profile))
        text = document(results, gates, ours, time.time() - begun)
    finally:
        if arguments.logs:
            keep_logs(directory, arguments.logs)
        shutil.rmtree(directory, ignore_errors=True)
    if arguments.output:
        arguments.output.write_text(text)
    for gate in gates:
        print(f"conformance: {gate}", flush=True)
    return 1 if any(gate.failed for gate in gates) else 0


def keep_logs(directory, destination):
    for log in [*directory.rglob("*.log"), *directory.rglob("log")]:
        target = destination / log.relative_to(directory)
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            shutil.copyfile(log, target)


if __name__ == "__main__":
    sys.exit(main())
