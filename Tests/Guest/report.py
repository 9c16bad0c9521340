# SPDX-License-Identifier: Apache-2.0
"""What each step found, on the terminal at once and at the end as a document."""
import contextlib, time

HEADING = """# The Linux kernel's initiator

`make guest-test` boots a virtual machine with the kernel's own iSCSI initiator (open-iscsi), lets it use a gateway,
changes the volumes under it and kills the gateway's services. It has no KVM and one slow processor in software: these
are figures for correctness and pauses, not for speed. No error may reach the guest but those that a step provokes: a
write to a protected volume, or against a reservation. `docs/OPERATIONS.md` has the initiator's settings that are used
here.
"""


class StepFailed(Exception):
    """The product did not do what the step expects."""


class Step:
    def __init__(self, group, name):
        self.group, self.name, self.figures, self.failure, self.seconds = group, name, [], None, 0.0

    def note(self, text):
        self.figures.append(text)

    def expect(self, condition, complaint):
        """Notes what is wrong and goes on, so that one run says all of it."""
        if not condition:
            self.failure = "; ".join(filter(None, [self.failure, complaint]))


class Report:
    def __init__(self):
        self.steps, self.details, self.kernel = [], [], "unknown"

    @contextlib.contextmanager
    def step(self, group, name):
        """Whatever is raised in it makes the step a failure and ends the group."""
        step, begun = Step(group, name), time.time()
        self.steps.append(step)
        print(f"guest-test: {group}: {name} ...", flush=True)
        try:
            yield step
        except Exception as error:
            step.expect(False, str(error) or type(error).__name__)
            raise StepFailed(str(error)) from error
        finally:
            step.seconds = time.time() - begun
            result = f"FAILED: {step.failure}" if step.failure else "passed"
            found = "; ".join([*step.figures, f"{step.seconds:.0f} s"])
            print(f"guest-test: {group}: {name}: {result} ({found})", flush=True)

    @property
    def has_failed(self):
        return not self.steps or any(step.failure for step in self.steps)

    def document(self, facts):
        lines = [HEADING, "## The last run", "", facts, ""]
        lines += ["| group | step | result | found |", "| --- | --- | --- | --- |"]
        for step in self.steps:
            # Of a long message its first line; the rest is in the logs.
            failure = step.failure and step.failure.splitlines()[0].replace("|", "\\|")
            result = f"**failed**: {failure}" if failure else "passed"
            lines.append(f"| {step.group} | {step.name} | {result} | {'; '.join(step.figures)} |")
        for title, rows in self.details:
            lines += ["", f"## {title}", ""] + rows
        return "\n".join(lines) + "\n"
