# SPDX-License-Identifier: Apache-2.0
"""Memory, descriptors and life of a process, from /proc."""
import os, pathlib


class ProcessWatch:
    def __init__(self, pid):
        self.pid, self.root = pid, pathlib.Path(f"/proc/{pid}")
        self.started = self.start_time()
        if self.started is None:
            raise ProcessLookupError(f"there is no process {pid}")
        self.begin()

    def start_time(self):
        try:
            return (self.root / "stat").read_text().rsplit(")", 1)[1].split()[19]
        except OSError:
            return None

    @property
    def is_alive(self):
        """The same process, not another with its number."""
        return self.start_time() == self.started

    def status(self, field):
        try:
            for line in (self.root / "status").read_text().splitlines():
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        except OSError:
            pass
        return 0

    def resident(self):
        return self.status("VmRSS")

    def peak(self):
        return self.status("VmHWM")

    def descriptors(self):
        try:
            return len(os.listdir(self.root / "fd"))
        except OSError:
            return 0

    def begin(self):
        """From here on is measured, its peak too where that can be reset."""
        try:
            (self.root / "clear_refs").write_text("5")
        except OSError:
            pass
        self.resident_before, self.descriptors_before = self.resident(), self.descriptors()

    def complaints(self, growth):
        if not self.is_alive:
            return [f"process {self.pid} is gone or was started again"]
        grown = self.peak() - self.resident_before
        return [f"process {self.pid} took {grown >> 20} MiB more, {growth >> 20} are allowed"] if grown > growth else []

    def __str__(self):
        return (f"resident {self.resident_before >> 20} MiB before, {self.resident() >> 20} MiB after, "
                f"{self.peak() >> 20} MiB at most; descriptors {self.descriptors_before} before, "
                f"{self.descriptors()} after")
