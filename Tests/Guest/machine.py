# SPDX-License-Identifier: Apache-2.0
"""The guest: one QEMU with a virtual processor in software, and an agent in it that runs scripts for us."""
import base64, pathlib, socket, subprocess, tarfile, threading, time

HERE = pathlib.Path(__file__).parent
COMMAND_LINE = (
    "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check tsc=reliable random.trust_cpu=on net.ifnames=0"
)
# Boots until the guest's clock is right.
BOOTS = 3


class GuestError(Exception):
    """A script failed in the guest, or the guest itself did."""


class Pending:
    """A script that runs in the guest."""

    def __init__(self, script):
        self.script, self.done = script, threading.Event()
        self.status, self.output = None, ""

    def wait(self, seconds):
        if not self.done.wait(seconds):
            raise GuestError(f"no answer within {seconds} s: {self.script.strip()}")
        if self.status is None:
            raise GuestError(f"the guest ended during: {self.script.strip()}")
        return self

    def result(self, seconds):
        self.wait(seconds)
        if self.status != 0:
            raise GuestError(f"exit status {self.status}: {self.script.strip()}\n{self.output.strip()}")
        return self.output


class Machine:
    """Boots the image of build.sh; its disk forgets everything at the end. Used by `with`."""

    def __init__(self, image, directory, taps, memory=768):
        self.image, self.directory, self.taps, self.memory = image, directory, taps, memory
        self.process, self.channel = None, None
        self.pending, self.lock, self.number = {}, threading.Lock(), 0
        self.kernel = ""

    def __enter__(self):
        for _ in range(BOOTS):
            self.boot()
            if self.clock_is_right():
                return self
            self.__exit__()
        raise GuestError(f"the guest's clock is wrong after {BOOTS} boots")

    def clock_is_right(self):
        """On a busy host the kernel may take its processor for a much slower one, and its seconds are too short."""
        before = self.clock_offset()
        time.sleep(1)
        return abs(self.clock_offset() - before) < 0.1

    def boot(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self.pending, self.number = {}, 0
        payload = self.directory / "payload.tar"
        with tarfile.open(payload, "w") as archive:
            for path in sorted((HERE / "inside").iterdir()):
                archive.add(path, path.name)
        # A disk has whole sectors.
        with open(payload, "ab") as file:
            file.truncate(-(-payload.stat().st_size // 512) * 512)
        ours, theirs = socket.socketpair()
        self.channel = ours
        hello = self.pending[0] = Pending("boot")
        with theirs, open(self.directory / "qemu.log", "w") as log:
            self.process = subprocess.Popen(
                self.command(payload, theirs.fileno()), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        threading.Thread(target=self.receive, args=[ours, self.pending], daemon=True).start()
        try:
            self.kernel = hello.result(180).strip()
        except GuestError:
            self.__exit__()
            raise

    def command(self, payload, channel):
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "pc", "-cpu", "max", "-smp", "1"]
        command += ["-m", str(self.memory), "-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none"]
        command += ["-serial", f"file:{self.directory / 'console.log'}", "-append", COMMAND_LINE]
        command += ["-kernel", str(self.image / "vmlinuz"), "-initrd", str(self.image / "initramfs.gz")]
        for serial, file, options in [
            ("root", self.image / "root.img", "snapshot=on"), ("payload", payload, "readonly=on")]:
            command += ["-drive", f"file={file},format=raw,if=none,id={serial},{options}"]
            command += ["-device", f"virtio-blk-pci,drive={serial},serial={serial}"]
        for number, tap in enumerate(self.taps):
            command += ["-netdev", f"tap,id=net{number},ifname={tap},script=no,downscript=no"]
            command += ["-device", f"virtio-net-pci,netdev=net{number},mac=52:54:00:00:00:{number + 1:02x}"]
        command += ["-chardev", f"socket,id=agent,fd={channel}", "-device", "virtio-serial-pci"]
        return command + ["-device", "virtserialport,chardev=agent,name=agent"]

    def receive(self, channel, waiting):
        """The thread that takes the answers of one boot. Its end is the end of everybody who waits for one."""
        try:
            with channel.makefile("rb") as lines:
                for line in lines:
                    number, status, *output = line.decode("ascii").split()
                    with self.lock:
                        pending = waiting.pop(int(number))
                    pending.output = base64.b64decode("".join(output)).decode("utf-8", "replace")
                    pending.status = int(status)
                    pending.done.set()
        finally:
            with self.lock:
                for pending in waiting.values():
                    pending.done.set()

    def start(self, script):
        """Starts a script; several run at the same time."""
        pending = Pending(script)
        with self.lock:
            self.number += 1
            self.pending[self.number] = pending
            line = f"{self.number} {base64.b64encode(script.encode()).decode()}\n"
            self.channel.sendall(line.encode())
        return pending

    def run(self, script, seconds=120):
        return self.start(script).result(seconds)

    def clock_offset(self):
        """The guest's clock minus ours, in seconds, from the quickest of a few questions."""
        best = None
        for _ in range(5):
            before = time.time()
            guest = float(self.run("date +%s.%N"))
            after = time.time()
            if best is None or after - before < best[0]:
                best = (after - before, guest - (before + after) / 2)
        return best[1]

    def __exit__(self, *_):
        try:
            with self.lock:
                self.channel.sendall(b"0 stop\n")
            self.process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.channel.close()
