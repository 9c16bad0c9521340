# SPDX-License-Identifier: Apache-2.0
"""A whole gateway, run by `sluice up`, whose services can be killed one by one."""
import json, os, pathlib, re, signal, socket, subprocess, time, urllib.request


class GatewayError(Exception):
    """A command failed, or something did not come about in time."""


def free_port(address):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def wait_for(what, condition, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        try:
            if condition():
                return
        except (subprocess.CalledProcessError, OSError, ValueError, GatewayError):
            pass
        time.sleep(0.02)
    raise GatewayError(f"{what}: not within {seconds} s")


def is_listening(address, port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


class Gateway:
    """Listens at `addresses[0]`; `second_frontend` adds one at `addresses[1]`. Used by `with`."""

    def __init__(self, binaries, directory, addresses):
        self.binaries, self.directory, self.addresses = binaries, directory, addresses
        self.ports = [free_port(address) for address in addresses]
        self.exporter = free_port("127.0.0.1")
        self.configuration = directory / "gateway.yaml"
        self.log, self.processes = None, []

    def __enter__(self):
        for name in ["state", "run", "journal", "cache", "bucket"]:
            (self.directory / name).mkdir(parents=True)
        self.configuration.write_text(
            "state: {directory: state}\nrun: {directory: run}\ncache: {directories: [cache]}\n"
            "journal: {directories: [journal], size: 12GiB, volume_buffer: 512MiB}\n"
            f'bucket: {{url: "file://{self.directory}/bucket"}}\n'
            f'iscsi: {{listen: ["{self.portal(0)}"], access_file: access.yaml}}\n'
            f'exporter: {{listen: "127.0.0.1:{self.exporter}"}}\n')
        self.allow()
        self.log = open(self.directory / "log", "w")
        try:
            self.spawn("sluice", "up")
            wait_for("the gateway", lambda: self.sluice("status", "--wait", "5s"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def spawn(self, program, *arguments):
        command = [self.binaries / program, *arguments, "--config", self.configuration]
        self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log))
        return self.processes[-1]

    def second_frontend(self):
        process = self.spawn("sluice-iscsi", "--set", f"iscsi.listen={self.portal(1)}")
        wait_for("the second portal", lambda: is_listening(self.addresses[1], self.ports[1]))
        return process

    def allow(self, rules=""):
        """Everybody may use what these rules of an access file do not name. Returns when the frontend has read them."""
        def changes():
            return (self.directory / "log").read_text().count("Access rules changed")
        before = changes() if self.processes else 0
        file = self.directory / "access.yaml"
        file.touch(mode=0o600)
        file.write_text("default: open\n" + rules)
        if self.processes:
            wait_for("new access rules", lambda: changes() > before)

    def portal(self, number):
        return f"{self.addresses[number]}:{self.ports[number]}"

    def sluice(self, *arguments):
        command = [self.binaries / "sluice", *arguments]
        done = subprocess.run([*command, "--config", self.configuration], capture_output=True, text=True)
        if done.returncode:
            raise GatewayError(f"sluice {' '.join(arguments)}: exit status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def wait_until_ready(self):
        wait_for("everything is ready again", lambda: self.sluice("status", "--wait", "20s"))

    def create(self, volume, size, *options):
        """Returns the name of its target once initiators can log in."""
        self.sluice("volume", "create", volume, "--size", size, *options)
        target = self.target(volume)
        # Frontends ask for the list of volumes once a second.
        wait_for(f"target {target}", lambda: self.metric("sluice_iscsi_targets") >= self.volume_count())
        return target

    def rename(self, volume, name):
        """Returns the name of its new target once initiators can log in."""
        self.sluice("volume", "rename", volume, name)
        # The old target goes and the new one comes with the same list.
        time.sleep(2)
        return self.target(name)

    def target(self, volume):
        return json.loads(self.sluice("volume", "show", volume, "--json"))["target"]

    def sessions(self, volume):
        return json.loads(self.sluice("initiators", "--volume", volume, "--json"))

    def volume_count(self):
        return len(json.loads(self.sluice("volume", "list", "--json")))

    def metric(self, name, labels=""):
        """The sum over what the name and a part of the labels select."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.exporter}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        samples = re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", text, re.M)
        return sum(float(value) for found, value in samples if labels in found)

    def exported_size(self, volume):
        """What the sparse image of a volume takes, as the bucket alone has it."""
        self.sluice("volume", "sync", volume)
        image = self.directory / "export.img"
        command = [self.binaries / "sluice", "export", "--bucket", f"file://{self.directory}/bucket"]
        subprocess.run([*command, "--volume", volume, "-o", image], check=True, capture_output=True)
        try:
            return image.stat().st_blocks * 512
        finally:
            image.unlink()

    def services(self):
        return {path.name.split("-")[0] for path in (self.directory / "run").glob("*-0.pid")}

    def process_id(self, service):
        return int((self.directory / "run" / f"{service}-0.pid").read_text())

    def kill(self, service):
        """SIGKILL. Returns when that was, and how long it took until the supervisor had started it anew."""
        old = self.process_id(service)
        when = time.time()
        os.kill(old, signal.SIGKILL)
        wait_for(f"{service} starts again", lambda: self.process_id(service) != old)
        if service == "iscsi":
            wait_for("the portal", lambda: is_listening(self.addresses[0], self.ports[0]))
        return when, time.time() - when

    def stop(self, service):
        """SIGTERM, as by a person who restarts one service. Returns when that was, once the next one is there."""
        old = self.process_id(service)
        when = time.time()
        os.kill(old, signal.SIGTERM)
        wait_for(f"{service} starts again", lambda: self.process_id(service) != old)
        if service == "iscsi":
            wait_for("the portal", lambda: is_listening(self.addresses[0], self.ports[0]))
        return when, time.time() - when

    def __exit__(self, *_):
        # The newest first: a frontend by hand before the gateway that it belongs to.
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.log:
            self.log.close()
