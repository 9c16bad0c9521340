# SPDX-License-Identifier: Apache-2.0
"""Disks of their own for what a gateway keeps, so that each can be full without the others."""

import errno
import os
import pathlib

from daemon import run

# By volume of compose.yaml; sparse files, so that only what is used takes room. Two cache managers have to fit.
SIZES = {"state": 256 << 20, "journal": 5 << 30, "cache": 3 << 30}
USER = 10001


class Disks:
    """ext4 on loop devices below `directory`, whose owner unmounts what is mounted there."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        for name, size in SIZES.items():
            image = self.directory / f"{name}.disk"
            with open(image, "wb") as file:
                file.truncate(size)
            run("mkfs.ext4", "-q", "-m", "0", image)
            self.path(name).mkdir()
            run("mount", "-o", "loop", image, self.path(name))
            os.rmdir(self.path(name) / "lost+found")
            os.chown(self.path(name), USER, USER)
            os.chmod(self.path(name), 0o700)

    def path(self, name):
        return self.directory / f"{name}-disk"

    def ballast(self, name):
        return self.path(name) / "ballast"

    def fill(self, name):
        """Leaves not one block."""
        size, part = 0, SIZES[name]
        with open(self.ballast(name), "wb") as file:
            while part >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), size, part)
                    size += part
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    part //= 2

    def free(self, name):
        self.ballast(name).unlink(missing_ok=True)
