# SPDX-License-Identifier: Apache-2.0
"""What the suite is run against: a gateway with two frontends, tgt with two portals, a model target, a URL."""
import contextlib, os, pathlib, shutil, subprocess, sys, tempfile, time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "Guest"))
from gateway import Gateway, GatewayError, free_port, wait_for  # noqa: F401, callers catch GatewayError
from profiles import PROFILES
from session import probe
from wire import WireError

ADDRESS = "127.0.0.1"
USER, SECRET, GATEWAY_SECRET = "tester", "secret-for-tests", "secret-of-ours"


def target_answers(url):
    try:
        return probe(url)
    except (WireError, OSError, subprocess.TimeoutExpired):
        return False


class Unavailable(Exception):
    """This target cannot be set up in this way, for a reason that is no failure."""


class ConformanceGateway(Gateway):
    """One gateway, one volume, two frontends: two paths of one logical unit."""
    label = "Sluice"

    def __init__(self, profile, directory, binaries):
        if not profile.has_switch:
            raise Unavailable("the gateway has no switch for it yet")
        self.profile = profile
        known = subprocess.run([binaries / "sluice", "config", "keys"], capture_output=True, text=True).stdout
        missing = [key for key in profile.settings if f"`{key}`" not in known and f"{key} " not in known]
        if missing:
            raise Unavailable(f"these executables do not know {', '.join(missing)}")
        super().__init__(binaries, directory, [ADDRESS, ADDRESS])

    def spawn(self, program, *arguments):
        settings = [word for key, value in self.profile.settings.items() for word in ("--set", f"{key}={value}")]
        return super().spawn(program, *arguments, *settings)

    def __enter__(self):
        super().__enter__()
        try:
            self.frontend = self.second_frontend()
            self.sluice("volume", "create", "disk", "--size", "1GiB", *self.profile.volume)
            self.sluice("volume", "set", "disk", *self.profile.change)
            name = "iqn.2026-11.io.sluice:disk"
            self.urls = [f"iscsi://{self.portal(number)}/{name}/0" for number in (0, 1)]
            wait_for("both portals know the volume", lambda: all(target_answers(url) for url in self.urls))
        except BaseException:
            self.__exit__()
            raise
        return self

    def frontend_pid(self):
        return self.process_id("iscsi")


class Server:
    """A target of one process, which ends with the `with`."""

    def __enter__(self):
        self.log = open(self.directory / "log", "w")
        self.process = None
        try:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.directory,
                env={**os.environ, **self.environment()})
            self.prepare()
            wait_for(f"{self.label} answers", lambda: all(target_answers(url) for url in self.urls))
        except BaseException:
            self.__exit__()
            raise
        return self

    def environment(self):
        return {}

    def prepare(self):
        pass

    def frontend_pid(self):
        return self.process.pid

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Tgt(Server):
    """Debian's tgt with a sparse file of 1 GiB; needs root."""
    label = "tgt"
    NAME = "iqn.2026-11.test.tgt:t"

    def __init__(self, profile, directory):
        if profile.tgt is None:
            raise Unavailable("tgt has no switch for it")
        self.profile, self.directory = profile, directory
        directory.mkdir(parents=True)
        self.ports, self.control = [free_port(ADDRESS), free_port(ADDRESS)], str(os.getpid() % 30000)
        self.urls = [f"iscsi://{ADDRESS}:{port}/{self.NAME}/1" for port in self.ports]
        self.image = directory / "tgt.img"

    def command(self):
        with open(self.image, "wb") as image:
            image.truncate(1 << 30)
        return ["tgtd", "-f", "-C", self.control, "--iscsi", f"portal={ADDRESS}:{self.ports[0]}"]

    def prepare(self):
        wait_for("tgtd answers", lambda: self.admin("show", "system"))
        self.admin("new", "target", "--tid", "1", "-T", self.NAME)
        block_size = str(self.profile.tgt_block_size)
        self.admin("new", "logicalunit", "--tid", "1", "--lun", "1", "-b", str(self.image), "--blocksize", block_size)
        self.admin("update", "logicalunit", "--tid", "1", "--lun", "1", "--params", "thin_provisioning=1")
        for mode, arguments in self.profile.tgt:
            self.admin("update", mode, "--tid", "1", *arguments)
        self.admin("new", "portal", "--param", f"portal={ADDRESS}:{self.ports[1]}")
        self.admin("bind", "target", "--tid", "1", "-I", "ALL")

    def admin(self, operation, mode, *arguments):
        command = ["tgtadm", "-C", self.control, "--lld", "iscsi", "--op", operation, "--mode", mode, *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            # wait_for tries again on OSError, and every other caller fails by it.
            raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
        return True


class Oracle(Server):
    """A model target that is configured by its environment and has one portal, which stands for both."""
    label = "oracle"

    def __init__(self, profile, directory, program):
        if profile.oracle is None:
            raise Unavailable("the model has no switch for it")
        self.profile, self.directory, self.program = profile, directory, program.resolve()
        directory.mkdir(parents=True)
        self.port = free_port(ADDRESS)
        self.urls = [f"iscsi://{ADDRESS}:{self.port}/iqn.2026-11.test.oracle:t1/0"] * 2

    def command(self):
        return [sys.executable, self.program]

    def environment(self):
        return {**self.profile.oracle, "PORT": str(self.port), "IMG": str(self.directory / "oracle.img")}


class Running:
    """A target that somebody else runs."""
    label = "the target"

    def __init__(self, urls):
        self.urls = urls * 2 if len(urls) == 1 else urls

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@contextlib.contextmanager
def temporary_gateway(name, arguments):
    """A gateway that is gone afterwards, and the URL of a second volume; `arguments` gets the first volume's URL and
    the frontend's process."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"sluice-{name}-"))
    try:
        with ConformanceGateway(PROFILES[0], directory / "gateway", arguments.binaries.resolve()) as gateway:
            beside = f"iscsi://{gateway.portal(0)}/{gateway.create('beside', '1GiB')}/0"
            guarded = gateway.create("guarded", "1GiB")
            proofs = f"user: {USER}, secret: {SECRET}, mutual_user: gateway, mutual_secret: {GATEWAY_SECRET}"
            gateway.allow(f"rules:\n  - {{volumes: [guarded], chap: [{{{proofs}}}]}}\n")
            arguments.url = gateway.urls[0]
            arguments.chap_url = f"iscsi://{USER}%{SECRET}@{gateway.portal(0)}/{guarded}/0"
            arguments.pid = gateway.frontend_pid()
            time.sleep(2)
            yield gateway, beside
    finally:
        if arguments.log:
            with contextlib.suppress(OSError):
                shutil.copyfile(directory / "gateway" / "log", arguments.log)
        shutil.rmtree(directory, ignore_errors=True)
