# SPDX-License-Identifier: Apache-2.0
"""Runs libiscsi's `iscsi-test-cu` and reads what CUnit prints."""
import dataclasses, fnmatch, re, signal, subprocess, time

PROGRAM = "iscsi-test-cu"
FAMILY = "ALL"
# In the order of the document's columns.
STATUSES = ["passed", "skipped", "failed", "crashed", "timeout", "not run"]


@dataclasses.dataclass
class Result:
    status: str
    note: str = ""
    seconds: float = 0.0
    # Assertions, where one process ran one test; a pass without any has looked at nothing.
    asserts: int | None = None


@dataclasses.dataclass
class Run:
    results: dict
    exit_status: int | None
    seconds: float
    command: str

    def count(self, status):
        return sum(result.status == status for result in self.results.values())

    @property
    def has_passed(self):
        """What CUnit calls a pass: a skip is one, and the tool ended well."""
        return self.exit_status == 0 and self.count("passed") + self.count("skipped") == len(self.results)


def version():
    """Of Debian's package; the tool does not say."""
    done = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", "libiscsi-bin"],
                          capture_output=True, text=True)
    return done.stdout.strip() or "of unknown version"


def all_tests():
    """Suite.Test, in the tool's order."""
    listing = subprocess.run([PROGRAM, "-l"], capture_output=True, text=True, check=True).stdout
    return [line.split(".", 1)[1] for line in listing.split() if re.match(rf"{FAMILY}\.[^.]+\.", line)]


def select(tests, patterns):
    return [test for test in tests if any(fnmatch.fnmatchcase(test, pattern) for pattern in patterns)]


def execute(selection, urls, seconds):
    """Returns what the tool printed, its exit status (None if it ran out of time) and how long it took."""
    command = [PROGRAM, "--dataloss", "--allow-sanitize", "--verbose", "-t", selection, *urls]
    begun = time.time()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        status = None
    except BaseException:
        process.kill()
        process.wait()
        raise
    return output.decode("utf-8", "replace"), status, time.time() - begun, " ".join(command)


def run_whole(tests, urls, seconds, log, is_everything):
    """All tests in one process."""
    selection = FAMILY if is_everything else ",".join(f"{FAMILY}.{test}" for test in tests)
    output, status, taken, command = execute(selection, urls, seconds)
    log.write(output)
    results = parse(output)
    unfinished = [test for test, result in results.items() if result.status == "not run"]
    if unfinished:
        results[unfinished[-1]] = ended_early(status, seconds)
    return Run({test: results.get(test, Result("not run", last_words(output))) for test in tests}, status, taken,
               command if is_everything else f"{PROGRAM} … -t (a selection)")


def run_each(tests, urls, seconds, log, progress):
    """Every test in a process of its own."""
    results, begun, worst = {}, time.time(), 0
    for test in tests:
        output, status, taken, _ = execute(f"{FAMILY}.{test}", urls, seconds)
        log.write(f"--- {test}, exit status {status}\n{output}\n")
        log.flush()
        result = parse(output).get(test)
        if status is None or status < 0 or status > 128:
            note = result.note if result else ""
            result = ended_early(status, seconds)
            result.note = "; ".join(filter(None, [result.note, note]))
        elif result is None or result.status == "not run":
            result = Result("not run", last_words(output))
        counted = re.search(r"^\s+asserts\s+\d+\s+(\d+)", output, re.M)
        result.asserts, result.seconds = int(counted.group(1)) if counted else None, taken
        results[test] = result
        worst = worst or (0 if result.status in ("passed", "skipped") else 1)
        progress(test, result)
    command = f"{PROGRAM} --dataloss --allow-sanitize --verbose -t {FAMILY}.SUITE.TEST {' '.join(urls)}"
    return Run(results, worst, time.time() - begun, command)


def ended_early(status, seconds):
    if status is None:
        return Result("timeout", f"not done after {seconds:.0f} s")
    number = -status if status < 0 else status - 128
    try:
        return Result("crashed", f"the tool ended by {signal.Signals(number).name}")
    except ValueError:
        return Result("crashed", f"the tool ended with status {status}")


def parse(output):
    """Suite.Test to what became of it; a test that began and has no verdict is "not run"."""
    results, suite = {}, None
    parts = re.split(r"^(Suite: .*|  Test: \S+ \.\.\.|Run Summary:.*)", output.replace("\r", ""), flags=re.M)
    for heading, body in zip(parts[1::2], parts[2::2]):
        if heading.startswith("Suite: "):
            suite = heading.split(": ", 1)[1].strip()
        elif heading.startswith("  Test: "):
            results[f"{suite}.{heading.split()[1]}"] = verdict(body)
    return results


def verdict(body):
    # The tool's own messages come between the dots and the word, or on lines of their own before it; what comes after
    # the word is of the suite's end, but for the assertions that did not hold.
    word = re.search(r"(?:\A|\n)(passed|FAILED)", body)
    if not word:
        return Result("not run", first_message(body))
    before = body[:word.start()]
    if word.group(1) == "FAILED":
        assertion = re.search(r"^\s+1\. (\S+)\s+- (.*)", body[word.end():], re.M)
        texts = [first_message(before)]
        # An assertion that only repeats the message has the message for its text.
        if assertion and "CU_FAIL" not in assertion.group(2):
            texts.append(f"{assertion.group(1)} {clean(assertion.group(2))}")
        return Result("failed", "; ".join(text for text in texts if text))
    skipped = re.search(r"\[SKIPPED\]\s*(.*)", before)
    return Result("skipped", clean(skipped.group(1))) if skipped else Result("passed")


def first_message(body):
    message = re.search(r"\[FAILED\]\s*(.*)", body)
    return clean(message.group(1)) if message else ""


def clean(text):
    text = re.sub(r"\s*\[(SKIPPED|FAILED|INFO)\].*|malloc\(\):.*", "", text).replace("Skipping test", "")
    return re.sub(r"\s+", " ", text).strip(" .")


def last_words(output):
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:160] if lines else "the tool printed nothing"
