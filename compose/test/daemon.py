# SPDX-License-Identifier: Apache-2.0
"""A docker daemon in a network namespace of its own, with images that need no registry."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
TOOLS = REPOSITORY / ".tools"
CACHE = TOOLS / "compose"
BASE, SLUICE, S3, PROMETHEUS = (f"sluice-test/{name}:local" for name in ("base", "sluice", "s3", "prometheus"))
BINARIES = ["sluice", "sluice-iscsi", "sluice-cache", "sluice-uploader", "sluice-snapshotter", "sluice-exporter"]
CLONE_NEWNET = 0x40000000


class Failure(Exception):
    pass


def finished(command, timeout, options):
    return subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
        **options,
    )  # fmt: skip


def run(*command, check=True, timeout=600, **options):
    """Runs a program to its end and returns what it printed."""
    result = finished(command, timeout, options)
    if check and result.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))} ended with {result.returncode}: {result.stdout}{result.stderr}")
    return result.stdout


def attempt(*command, timeout=60, **options):
    """The exit status of a program and what it printed."""
    result = finished(command, timeout, options)
    return result.returncode, result.stdout + result.stderr


def wait(what, seconds, condition, step=0.25):
    """The first true answer of `condition`; a condition that fails is one that is not met yet."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            if answer := condition():
                return answer
        except (Failure, OSError, ValueError, subprocess.TimeoutExpired) as error:
            last = error
        time.sleep(step)
    raise Failure(f"{what}: not within {seconds} s" + (f" ({last})" if last else ""))


def base_tree():
    """A minimal Debian with the libraries that the image needs, made once: a build in the namespace has no network."""
    tree, stamp = CACHE / "rootfs", CACHE / "rootfs.complete"
    if not stamp.exists():
        shutil.rmtree(tree, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        sites = run("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages").split("\n")
        mirror = next(site for site in sites if site and "security" not in site)
        packages = "ca-certificates,libzmq5,libzstd1,libisal2,busybox"
        run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", tree, mirror, timeout=1800)
        stamp.touch()
    return tree


class Daemon:
    """Everything that it makes is gone when it is left: processes, namespace, mounts, control groups, files."""

    def __init__(self):
        CACHE.mkdir(parents=True, exist_ok=True)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
        self.namespace = f"sluice-compose-{os.getpid()}"
        self.socket = f"unix://{self.directory}/docker.sock"
        self.process = None
        self.groups = set()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        self.groups = set(pathlib.Path("/sys/fs/cgroup").glob("*/docker"))
        run("ip", "netns", "add", self.namespace)
        run("ip", "-n", self.namespace, "link", "set", "lo", "up")
        # This process goes there, too, because that is where published ports are. `ip netns exec` would hide the
        # control groups.
        with open(f"/run/netns/{self.namespace}", encoding="ascii") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        log = open(self.directory / "dockerd.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            ["dockerd", "--data-root", self.directory / "data", "--exec-root", self.directory / "exec", "-H",
             self.socket, "--pidfile", self.directory / "pid", "--exec-opt", "native.cgroupdriver=cgroupfs"],
            stdout=log, stderr=log,
        )  # fmt: skip
        (self.directory / "configuration").mkdir()
        os.environ |= {"DOCKER_HOST": self.socket, "DOCKER_CONFIG": str(self.directory / "configuration")}
        os.environ["DOCKER_BUILDKIT"] = "1"
        wait("dockerd answers", 30, lambda: docker("version"))

    def __exit__(self, *_):
        if self.process:
            with contextlib.suppress(Exception):
                for container in docker("ps", "--all", "--quiet").split():
                    docker("rm", "--force", "--volumes", container)
            # SIGTERM also ends containerd and the containers' shims.
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        mounts = [line.split()[1] for line in open("/proc/mounts", encoding="utf-8")]
        for mount in reversed([mount for mount in mounts if mount.startswith(f"{self.directory}/")]):
            run("umount", "--lazy", mount, check=False)
        run("ip", "netns", "del", self.namespace, check=False)
        for group in set(pathlib.Path("/sys/fs/cgroup").glob("*/docker")) - self.groups:
            # Those of containers whose shim was killed are still inside.
            for inner in sorted(group.rglob("*/"), reverse=True) + [group]:
                with contextlib.suppress(OSError):
                    inner.rmdir()
        shutil.rmtree(self.directory, ignore_errors=True)


def docker(*arguments, **options):
    # Debian's client has BuildKit without a plugin.
    client = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else "docker"
    return run(client, *arguments, **options)


def build(name, dockerfile, files, *arguments):
    """Builds an image of `files` (name in the context to path) alone."""
    with tempfile.TemporaryDirectory(prefix="sluice-context-") as context:
        for target, source in files.items():
            path = pathlib.Path(context, target)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, path)
        docker("build", "--tag", name, "--file", "-", *arguments, context, input=dockerfile)


def swift_libraries(binary):
    """Those that a binary wants which was not linked statically; they have to be beside it."""
    lines = [line.split() for line in run("ldd", binary).split("\n") if " => " in line]
    return {name: path for name, _, path, *_ in lines if "/swift/" in path}


def build_images(binaries):
    tree = base_tree()
    archive = subprocess.Popen(["tar", "-C", tree, "-c", "."], stdout=subprocess.PIPE)
    docker("import", "-", BASE, stdin=archive.stdout)
    if archive.wait() != 0:
        raise Failure("the base image could not be packed")
    programs = {name: binaries / name for name in BINARIES}
    for name in BINARIES:
        programs |= swift_libraries(binaries / name)
    build(
        SLUICE, (REPOSITORY / "compose/Dockerfile").read_text(),
        {f"prebuilt/{name}": path for name, path in programs.items()},
        "--build-arg", f"RUNTIME_IMAGE={BASE}", "--build-arg", "BINARIES=prebuilt",
    )  # fmt: skip
    wget = "RUN ln -sf /bin/busybox /usr/bin/wget\n"
    build(S3, f"FROM {BASE}\n{wget}COPY weed /usr/bin/weed\n", {"weed": (TOOLS / "venv/bin/weed").resolve()})
    build(
        PROMETHEUS,
        f"FROM {BASE}\n{wget}RUN install --directory --owner=nobody /prometheus\nCOPY prometheus /bin/prometheus\n"
        "USER nobody\nENTRYPOINT [\"/bin/prometheus\"]\n",
        {"prometheus": shutil.which("prometheus")},
    )  # fmt: skip
