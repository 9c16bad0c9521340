#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the bucket costs: write-back, cold reads, requests, opening, recovery.

Needs release executables (`--binaries`), fio with its nbd engine, qemu-utils with the iSCSI driver, and for S3 the
servers of the tests (`--servers`). Ratios compare the gateway with a plain client of the same server, moving as many
bytes, in alternating rounds of one run. Everything listens on loopback with ports and directories of its own and is
removed at the end. Random writes are incompressible 4 KiB blocks, spread over a volume that is much larger.
"""
import argparse, datetime, hashlib, hmac, http.client, json, multiprocessing, os, pathlib, random, re, shutil, signal
import socket, statistics, struct, subprocess, sys, tempfile, time, urllib.parse, urllib.request
from peers import cpu_seconds, free_port, run, wait_for

MIB, GIB = 1 << 20, 1 << 30
OBJECT = 16 * MIB  # What the gateway's packs hold.
CHUNK = 240 * MIB  # Below the 256 MiB at which a commit is cut, so that it begins when it is asked for.
EMPTY_HASH = hashlib.sha256(b"").hexdigest()


def median(values):
    return statistics.median(values) if values else float("nan")


# MARK: Plain clients


class Keys:
    def __init__(self, access, secret):
        self.access, self.secret = access, secret

    def headers(self, method, host, path, query="", payload_hash=EMPTY_HASH, service="s3"):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/us-east-1/{service}/aws4_request"
        signed = {"host": host, "x-amz-content-sha256": payload_hash, "x-amz-date": now}
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = hashlib.sha256("\n".join([method, path, query, lines, names, payload_hash]).encode()).hexdigest()
        key = ("AWS4" + self.secret).encode()
        for part in [now[:8], "us-east-1", service, "aws4_request"]:
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, "\n".join(["AWS4-HMAC-SHA256", now, scope, request]).encode(), "sha256").hexdigest()
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access}/{scope}, SignedHeaders={names}, Signature={signature}")
        return signed


class Directory:
    """A directory as a bucket, and what plain reads of its files cost."""
    name = "directory"

    def __init__(self, directory):
        self.path = directory / "bucket"
        self.path.mkdir()
        self.environment, self.pids = {}, []
        self.settings = f'url: "file://{self.path}"'

    def packs(self, prefix):
        files = [path for path in (self.path / prefix).rglob("data/*/*") if path.is_file()]
        return [(str(path.relative_to(self.path)), path.stat().st_size) for path in sorted(files)]

    def connect(self):
        return None

    def get(self, _, key, offset, count, buffer):
        with open(self.path / key, "rb", buffering=0) as file:
            return os.preadv(file.fileno(), [buffer[:count]], offset)

    def forget(self):
        """Takes the bucket out of the page cache."""
        os.sync()
        for path in self.path.rglob("*"):
            if path.is_file():
                with open(path, "rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def stop(self):
        pass


def free_pair():
    """A port that is free, as is the one 10,000 above it, which SeaweedFS takes for gRPC."""
    while True:
        port = random.randrange(12_000, 22_000)
        try:
            for number in (port, port + 10_000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
            return port
        except OSError:
            continue


class S3:
    """A server of the tests, with its plain client: kept connections, signed, bodies made and hashed beforehand."""
    bucket = "bench"

    def __init__(self, directory, tools):
        self.directory, self.port = directory / self.name, free_pair()
        self.directory.mkdir()
        self.host = f"127.0.0.1:{self.port}"
        command, environment = self.recipe(tools)
        self.log = open(self.directory / "log", "w")
        self.process = subprocess.Popen(
            command, stdout=self.log, stderr=self.log, env=os.environ | environment, cwd=self.directory)
        try:
            wait_for(self.name, lambda: socket.create_connection(("127.0.0.1", self.port)).close() is None, 60)
            self.keys = self.user()
            wait_for(f"{self.name}'s bucket", self.is_ready, 60)
        except BaseException:
            self.stop()
            raise
        self.pids = [self.process.pid]
        self.environment = {"AWS_ACCESS_KEY_ID": self.keys.access, "AWS_SECRET_ACCESS_KEY": self.keys.secret}
        self.settings = f'url: "s3://{self.bucket}", endpoint: "http://{self.host}"'

    def is_ready(self):
        connection = self.connect()
        return self.call(connection, "PUT", f"/{self.bucket}")[0] in (200, 409) and (
            self.call(connection, "PUT", f"/{self.bucket}/ready")[0] == 200)

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, blocksize=1 << 20)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def call(self, connection, method, path, query="", body=b"", payload_hash=EMPTY_HASH):
        headers = self.keys.headers(method, self.host, path, query, payload_hash)
        connection.request(method, path + ("?" + query if query else ""), body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def put(self, connection, key, body, payload_hash):
        status, text = self.call(connection, "PUT", f"/{self.bucket}/{key}", body=body, payload_hash=payload_hash)
        if status != 200:
            sys.exit(f"{self.name}: PUT of {key}: {status} {text[:200]}")

    def get(self, connection, key, offset, count, buffer):
        path = f"/{self.bucket}/{key}"
        headers = self.keys.headers("GET", self.host, path)
        headers["range"] = f"bytes={offset}-{offset + count - 1}"
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status != 206:
            sys.exit(f"{self.name}: GET of {key}: {answer.status}")
        done = 0
        while done < count and (more := answer.readinto(buffer[done:count])):
            done += more
        answer.read()
        return done

    def packs(self, prefix):
        found, connection, token = [], self.connect(), ""
        while True:
            query = {"list-type": "2", "prefix": prefix} | ({"continuation-token": token} if token else {})
            text = urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote, safe="")
            body = self.call(connection, "GET", f"/{self.bucket}", text)[1].decode()
            for part in re.findall(r"<Contents>(.*?)</Contents>", body, re.S):
                key, size = re.search(r"<Key>(.*?)</Key>", part)[1], int(re.search(r"<Size>(\d+)</Size>", part)[1])
                if "/data/" in key:
                    found.append((key, size))
            token = re.search(r"<NextContinuationToken>(.*?)</NextContinuationToken>", body)
            if not token:
                return sorted(found)
            token = token[1]

    def forget(self):
        pass

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class SeaweedFS(S3):
    name = "SeaweedFS"

    def recipe(self, tools):
        (self.directory / "data").mkdir()
        (self.directory / "s3.json").write_text(json.dumps({"identities": [{
            "name": "sluice", "credentials": [{"accessKey": "BENCHKEY", "secretKey": "bench-secret-0123456789"}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}))
        command = [
            tools / "weed", "-logtostderr=true", "server", f"-dir={self.directory}/data", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", "-s3", f"-s3.port={self.port}", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-s3.config={self.directory}/s3.json", "-filer", f"-filer.port={free_pair()}",
            f"-master.port={free_pair()}", f"-volume.port={free_pair()}", "-master.volumeSizeLimitMB=1024",
            "-volume.max=100", "-master.telemetry=false"]
        return command, {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1", "HOME": str(self.directory)}

    def user(self):
        return Keys("BENCHKEY", "bench-secret-0123456789")


class Moto(S3):
    name = "moto"

    def recipe(self, tools):
        command = [tools / "moto_server", "-H", "127.0.0.1", "-p", str(self.port)]
        return command, {"INITIAL_NO_AUTH_ACTION_COUNT": "3", "TMPDIR": str(self.directory)}

    def user(self):
        """Its first three requests are believed whoever makes them; from then on signatures count."""
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

        def iam(action, **arguments):
            body = urllib.parse.urlencode({"Version": "2010-05-08", "Action": action} | arguments).encode()
            headers = Keys("nobody", "nothing").headers(
                "POST", self.host, "/", "", hashlib.sha256(body).hexdigest(), "iam")
            request = urllib.request.Request(f"http://{self.host}/", body, headers)
            return urllib.request.urlopen(request).read().decode()

        iam("CreateUser", UserName="sluice")
        answer = iam("CreateAccessKey", UserName="sluice")
        iam("PutUserPolicy", UserName="sluice", PolicyName="all", PolicyDocument=json.dumps(policy))
        return Keys(*(re.search(f"<{name}>(.*?)</{name}>", answer)[1] for name in ("AccessKeyId", "SecretAccessKey")))


def in_parallel(worker, count=4):
    """Runs `worker(prepare, number)` in processes of their own, from the moment that all are prepared. Seconds."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(count + 1)
    processes = [context.Process(target=worker, args=(barrier.wait, number)) for number in range(count)]
    for process in processes:
        process.start()
    barrier.wait(120)
    begun = time.monotonic()
    for process in processes:
        process.join()
    elapsed = time.monotonic() - begun
    if any(process.exitcode for process in processes):
        sys.exit("a plain client failed")
    return elapsed


def plain_puts(server, byte_count, label):
    """Four writers of objects of the packs' size. MB/s."""
    objects, taken = byte_count // OBJECT, multiprocessing.Value("i", 0)

    def worker(prepared, number):
        body, connection = os.urandom(OBJECT), server.connect()
        payload_hash = hashlib.sha256(body).hexdigest()
        prepared()
        while True:
            with taken.get_lock():
                mine = taken.value
                taken.value += 1
            if mine >= objects:
                return
            server.put(connection, f"plain/{label}/{mine}", body, payload_hash)

    rate = objects * OBJECT / 1e6 / in_parallel(worker)
    connection = server.connect()
    for number in range(objects):
        server.call(connection, "DELETE", f"/{server.bucket}/plain/{label}/{number}")
    return rate


def plain_gets(server, packs, range_bytes):
    """Four readers of the packs, in ranges. MB/s."""
    pieces = [(key, offset, min(range_bytes, size - offset))
              for key, size in packs for offset in range(0, size, range_bytes)]
    taken = multiprocessing.Value("i", 0)

    def worker(prepared, number):
        buffer, connection = memoryview(bytearray(range_bytes)), server.connect()
        prepared()
        while True:
            with taken.get_lock():
                mine = taken.value
                taken.value += 1
            if mine >= len(pieces):
                return
            key, offset, count = pieces[mine]
            if server.get(connection, key, offset, count, buffer) != count:
                sys.exit("a short range")

    return sum(size for _, size in packs) / 1e6 / in_parallel(worker)


def plain_get(server, packs):
    """Gets a range from anywhere at each call. Milliseconds."""
    buffer, connection = memoryview(bytearray(MIB)), server.connect()

    def get(byte_count):
        key, size = random.choice(packs)
        offset = random.randrange(0, size - byte_count)
        begun = time.perf_counter()
        server.get(connection, key, offset, byte_count, buffer)
        return (time.perf_counter() - begun) * 1000

    return get


# MARK: The gateway and its initiators


class Gateway:
    def __init__(self, binaries, directory, store, buffer="8GiB", journal="12GiB", prefix=""):
        self.binaries, self.store = binaries, store
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gateway-", dir=directory))
        self.port, self.exporter = free_port(), free_port()
        for name in ("state", "run", "journal", "cache"):
            (self.directory / name).mkdir()
        self.configuration = self.directory / "gateway.yaml"
        self.configuration.write_text(
            f"state: {{directory: state}}\nrun: {{directory: run}}\n"
            f"journal: {{directories: [journal], size: {journal}, volume_buffer: {buffer}}}\n"
            f"cache: {{directories: [cache]}}\nbucket: {{{store.settings}{prefix and f', prefix: {prefix}'}}}\n"
            f'iscsi: {{listen: ["127.0.0.1:{self.port}"]}}\nexporter: {{listen: "127.0.0.1:{self.exporter}"}}\n'
            "commit: {interval: 300s}\n")
        self.log = open(self.directory / "log", "w")
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.binaries / "sluice", "up", "--config", self.configuration], stdout=self.log, stderr=self.log,
            env=os.environ | self.store.environment)
        wait_for("the gateway", lambda: self.cli("status", "--wait", "1s") is not None, 60)

    def cli(self, *arguments):
        return run(self.binaries / "sluice", *arguments, "--config", self.configuration)

    def url(self, volume):
        return f"iscsi://127.0.0.1:{self.port}/iqn.2026-11.io.sluice:{volume}/0"

    def create(self, volume, size):
        self.cli("volume", "create", volume, "--size", size)
        self.wait_for_target(volume)

    def wait_for_target(self, volume):
        wait_for(volume, lambda: run("qemu-img", "info", "-f", "raw", self.url(volume)))

    def sync(self, volume):
        begun = time.monotonic()
        self.cli("volume", "sync", volume, "--timeout", "600s")
        return time.monotonic() - begun

    def metrics(self):
        return urllib.request.urlopen(f"http://127.0.0.1:{self.exporter}/metrics").read().decode()

    def metric(self, name):
        return sum(float(v) for v in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", self.metrics(), re.M))

    def requests(self, service="uploader"):
        """By operation; what failed counts, too."""
        counts = {}
        for labels, value in re.findall(r"^sluice_object_store_requests_total{([^}]*)} (\S+)$", self.metrics(), re.M):
            fields = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            if service in (None, fields["service"]):
                counts[fields["operation"]] = counts.get(fields["operation"], 0) + int(float(value))
        return counts

    def settled_requests(self):
        """When nothing was asked for a second."""
        counts = self.requests()
        while True:
            time.sleep(1)
            if (now := self.requests()) == counts:
                return now
            counts = now

    def pid(self, service):
        # Not there for a moment while it is started again.
        for path in (self.directory / "run").glob(f"{service}*.pid"):
            if text := path.read_text():
                return int(text)
        raise ProcessLookupError(service)

    def pids(self, *services):
        return [self.pid(service) for service in services]

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(90)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def remove(self):
        self.stop()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def difference(after, before):
    return {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}


def random_writes(gateway, volume, byte_count, seed):
    """Distinct incompressible blocks, each at a place of its own. Seconds."""
    with tempfile.TemporaryDirectory(prefix="sluice-nbd-") as folder:
        path = f"{folder}/nbd"
        server = subprocess.Popen(
            ["qemu-nbd", "-t", "-e", "4", "-f", "raw", "--cache=none", "-k", path, gateway.url(volume)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for("qemu-nbd", lambda: os.path.exists(path))
            begun = time.monotonic()
            run("fio", "--name=w", "--ioengine=nbd", f"--uri=nbd+unix:///?socket={path}", "--rw=randwrite", "--bs=4k",
                "--iodepth=32", "--refill_buffers", "--randrepeat=0", f"--randseed={seed}", f"--io_size={byte_count}",
                "--random_generator=tausworthe64", cwd=folder)
            return time.monotonic() - begun
        finally:
            server.terminate()
            server.wait()


class Initiator:
    """One iSCSI session with one command at a time."""

    def __init__(self, gateway, volume):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(120)
        self.command_number, self.status_number = 1, 0
        keys = ["InitiatorName=iqn.2026-11.bench:i", f"TargetName=iqn.2026-11.io.sluice:{volume}",
                "SessionType=Normal", "AuthMethod=None", "HeaderDigest=None", "DataDigest=None",
                "MaxRecvDataSegmentLength=262144", "InitialR2T=No", "ImmediateData=Yes", "ErrorRecoveryLevel=0"]
        text = "".join(key + "\0" for key in keys).encode()
        header = struct.pack(">BBxxI6sHIHxxII16x", 0x43, 0x87, len(text), os.urandom(6), 0, 0, 0, 1, 0)
        self.send(header, text)
        answer, _ = self.receive()
        if answer[0] != 0x23 or answer[36] or not answer[1] & 0x80:
            sys.exit(f"login refused: {answer.hex()}")
        for _ in range(3):
            self.command(bytes(16), 0x80)

    def send(self, header, data=b""):
        self.socket.sendall(header + data + bytes(-len(data) % 4))

    def receive(self):
        def exactly(count):
            data = bytearray()
            while len(data) < count:
                more = self.socket.recv(count - len(data))
                if not more:
                    raise ConnectionError("the target hung up")
                data += more
            return bytes(data)

        header = exactly(48)
        length = int.from_bytes(header[5:8], "big")
        data = exactly(length + -length % 4)[:length]
        if header[0] & 0x3F in (0x21, 0x23) or header[0] == 0x25 and header[1] & 1:
            self.status_number = int.from_bytes(header[24:28], "big")
        return header, data

    def command(self, cdb, flags, length=0, data=b""):
        header = struct.pack(">BBxxI8xIIII16s", 0x01, flags | 1, len(data), self.command_number, length,
                             self.command_number, self.status_number + 1, cdb)
        self.command_number += 1
        self.send(header, data)
        read = b""
        while True:
            answer, part = self.receive()
            opcode = answer[0] & 0x3F
            if opcode == 0x25:
                read += part
            if opcode == 0x21 or opcode == 0x25 and answer[1] & 1:
                return answer[3], read
            if opcode == 0x20 and answer[20:24] != b"\xff" * 4:  # A ping that wants an answer.
                self.send(struct.pack(">BBxxI8sI4sII16x", 0x40, 0x80, 0, answer[8:16], 0xFFFFFFFF, answer[20:24],
                                      self.command_number, self.status_number + 1))

    def read(self, block, patience=0):
        """Asks again as long as the answer is BUSY, for so many seconds."""
        end = time.monotonic() + patience
        while True:
            status, data = self.command(struct.pack(">BBQIxx", 0x88, 0, block * 8, 8), 0xC0, 4096)
            if status == 0 and len(data) == 4096:
                return data
            if status != 8 or time.monotonic() > end:
                raise OSError(f"READ of block {block}: status {status}")

    def write(self, block, data):
        status, _ = self.command(struct.pack(">BBQIxx", 0x8A, 0, block * 8, 8), 0xA0, 4096, data)
        if status:
            raise OSError(f"WRITE of block {block}: status {status}")

    def close(self):
        self.socket.close()


# MARK: Figures


class Bench:
    def __init__(self, options, directory):
        self.options, self.directory, self.binaries = options, directory, options.binaries.resolve()
        self.rows, self.figures = [], {}

    def gateway(self, store, **options):
        return Gateway(self.binaries, self.directory, store, **options)

    def report(self, figure, goal, value, **details):
        self.rows.append((figure, goal, value))
        self.figures[figure] = {"goal": goal, "value": value} | details
        print(f"{figure}: {value} (goal: {goal})", flush=True)

    def with_server(self, kind, work):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="store-", dir=self.directory))
        server = kind(folder) if kind is Directory else kind(folder, self.options.servers.resolve())
        try:
            work(server)
        finally:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def write_back(self, kind):
        self.with_server(kind, self.write_back_to)

    def write_back_to(self, server):
        gateway = self.gateway(server)
        try:
            gateway.create("bench", "100GiB")
            services = ["uploader", "cache"]
            rates, plain, ratios, shares, cpu = [], [], [], [], {name: [] for name in services + ["server"]}
            for number in range(self.options.rounds + 1):
                def ours():
                    random_writes(gateway, "bench", CHUNK, number + 1)
                    os.sync()  # What the load wrote to the journal is not part of the measurement.
                    before = [cpu_seconds(gateway.pids(name)) for name in services] + [cpu_seconds(server.pids)]
                    seconds = gateway.sync("bench")
                    after = [cpu_seconds(gateway.pids(name)) for name in services] + [cpu_seconds(server.pids)]
                    for name, begin, end in zip(cpu, before, after):
                        cpu[name].append((end - begin) / CHUNK * GIB)
                    return CHUNK / 1e6 / seconds
                theirs = lambda: plain_puts(server, CHUNK, number) if server.pids else None
                first, second = (ours, theirs) if number % 2 else (theirs, ours)
                result = {first: first(), second: second()}
                if number == 0:
                    for values in cpu.values():
                        values.clear()
                    continue  # Warms up both.
                rates.append(result[ours])
                if server.pids:
                    plain.append(result[theirs])
                    ratios.append(rates[-1] / plain[-1])
                print(f"  {server.name}: {rates[-1]:.0f} MB/s" + (f", plain {plain[-1]:.0f}" if plain else ""))
            used = ", ".join(
                f"{name} {median(values):.1f}" for name, values in cpu.items() if name != "server" or plain)
            details = {"mb_per_s": rates, "plain_mb_per_s": plain, "cpu_seconds_per_gib": cpu}
            if plain:
                self.report(
                    f"write-back to {server.name}, of 4 plain PUTs", "≥ 80 %",
                    f"{median(ratios) * 100:.0f} % ({median(rates):.0f} of {median(plain):.0f} MB/s; CPU s per GiB: "
                    f"{used})", ratios=ratios, **details)
                return
            self.report("write-back to a directory", "≥ 150 MB/s",
                        f"{median(rates):.0f} MB/s (CPU s per GiB: {used})", **details)
            held, through = self.write_back_held(gateway), []
            for number in range(2):
                begun = time.monotonic()
                random_writes(gateway, "bench", GIB, 200 + number)
                gateway.sync("bench")
                through.append(GIB / 1e6 / (time.monotonic() - begun))
            self.report("write-back of 1 GiB that waited for the uploader", "≥ 150 MB/s", f"{held:.0f} MB/s")
            self.report("from the first write of 1 GiB to its commit", "", f"{median(through):.0f} MB/s, the load "
                        "generator on the same two cores", mb_per_s=through)
        finally:
            gateway.remove()

    def write_back_held(self, gateway):
        """An uploader that stands still, then has a gibibyte to do. It says once a second that it is free."""
        pid = gateway.pid("uploader")
        os.kill(pid, signal.SIGSTOP)
        try:
            random_writes(gateway, "bench", GIB, 100)
            os.sync()
        finally:
            os.kill(pid, signal.SIGCONT)
        return GIB / 1e6 / gateway.sync("bench")

    def sequential(self, kind):
        self.with_server(kind, self.sequential_from)

    def sequential_from(self, server):
        writer = self.gateway(server)
        try:
            writer.create("bench", "4GiB")
            source = self.directory / "random.img"
            with open("/dev/urandom", "rb") as random_bytes, open(source, "wb") as image:
                for _ in range(64):
                    image.write(random_bytes.read(16 * MIB))
            run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", source, writer.url("bench"))
            source.unlink()
            writer.sync("bench")
        finally:
            writer.remove()
        packs = server.packs("volumes")
        sizes = [64 << 10, MIB, 4 * MIB]

        def plain(size):
            server.forget()
            return plain_gets(server, packs, size)

        best = max(sizes, key=lambda size: plain(size))
        results = {depth: [] for depth in (1, 8)}
        ratios, plains, gets = {depth: [] for depth in results}, [], []
        for _ in range(self.options.rounds):
            plains.append(plain(best))
            for depth in results:
                server.forget()
                gateway = self.gateway(server)
                try:
                    gateway.cli("volume", "attach", "bench", "--force")
                    gateway.wait_for_target("bench")
                    server.forget()
                    before = gateway.settled_requests()
                    output = run("qemu-img", "bench", "-f", "raw", "-t", "none", "-n", "-s", "1048576", "-d",
                                 str(depth), "-c", "1024", gateway.url("bench"))
                    seconds = float(re.search(r"completed in ([0-9.]+) seconds", output)[1])
                    gets.append(difference(gateway.requests(), before).get("range", 0))
                finally:
                    gateway.remove()
                results[depth].append(GIB / 1e6 / seconds)
                ratios[depth].append(results[depth][-1] / plains[-1])
            print(f"  {server.name}: plain {plains[-1]:.0f}, depth 1 {results[1][-1]:.0f}, "
                  f"depth 8 {results[8][-1]:.0f} MB/s")
        top = max(results, key=lambda depth: median(results[depth]))
        self.report(
            f"sequential cold read from {server.name}, of 4 plain ranged GETs", "≥ 80 %",
            f"{median(ratios[top]) * 100:.0f} % ({median(results[top]):.0f} of {median(plains):.0f} MB/s, ranges of "
            f"{best >> 10} KiB; depth 1 {median(results[1]):.0f}, depth 8 {median(results[8]):.0f} MB/s; "
            f"{median(gets):.0f} GETs per GiB)", mb_per_s=results, plain_mb_per_s=plains, gets=gets)

    def puts(self):
        def work(server):
            gateway = self.gateway(server)
            try:
                gateway.create("bench", "100GiB")
                before = gateway.settled_requests()
                for number in range(4):
                    # The 65,536th block cuts the epoch.
                    random_writes(gateway, "bench", 256 * MIB, 300 + number)
                    gateway.sync("bench")
                asked = difference(gateway.settled_requests(), before)
                folds = len(list(server.path.rglob("map/*/*")))
                self.report("PUTs per GiB of random 4 KiB writes, HEAD included, folds apart", "≤ 80",
                            f"{asked.get('put', 0) - folds} (map packs of folds: {folds}; all requests: {asked})")
            finally:
                gateway.remove()
        self.with_server(Directory, work)

    def cold_reads(self):
        def work(server):
            writer, draw = self.gateway(server), random.Random(7)
            try:
                writer.create("bench", "100GiB")
                # Leaves of 4 MiB with eight blocks each, so that each has two frames of scattered blocks.
                leaves = {leaf: sorted(draw.sample(range(1024), 8)) for leaf in range(3000)}
                initiator = Initiator(writer, "bench")
                for leaf, blocks in leaves.items():
                    for block in blocks:
                        initiator.write(leaf * 1024 + block, os.urandom(4096))
                initiator.close()
                writer.sync("bench")
            finally:
                writer.remove()
            gateway = self.gateway(server)
            try:
                gateway.cli("volume", "attach", "bench", "--force")
                gateway.wait_for_target("bench")
                initiator = Initiator(gateway, "bench")
                get = plain_get(server, server.packs("volumes"))
                chosen = draw.sample(sorted(leaves), 300)
                initiator.read(leaves[chosen[0]][3])  # The nodes above the leaves.
                for name, position, goal in [("map cold", 0, 2), ("map warm", 7, 1)]:
                    before, waited = gateway.settled_requests(), gateway.metric(
                        "sluice_object_store_request_seconds_sum")
                    times, plain = [], []
                    for leaf in chosen[1:]:
                        begun = time.perf_counter()
                        initiator.read(leaf * 1024 + leaves[leaf][position])
                        times.append((time.perf_counter() - begun) * 1000)
                        plain.append(get(16 << 10))
                    asked = difference(gateway.requests(), before).get("range", 0)
                    waited = gateway.metric("sluice_object_store_request_seconds_sum") - waited
                    own, gets = waited * 1000 / max(asked, 1), asked / len(times)
                    self.report(
                        f"cold 4 KiB read, {name}", f"GETs: {goal}, < 1 ms beyond their own time",
                        f"{gets:.2f} GETs, {median(times):.2f} ms; a plain GET of 16 KiB {median(plain):.2f} ms, so "
                        f"{median(times) - gets * median(plain):.2f} ms added; means: {statistics.mean(times):.2f} "
                        f"ms, of which GETs as the uploader sees them {gets * own:.2f} ms", milliseconds=times,
                        plain_milliseconds=plain)
                initiator.close()
            finally:
                gateway.remove()
        self.with_server(SeaweedFS, work)

    def opening(self):
        def work(server):
            gateway = self.gateway(server)
            try:
                gateway.create("bench", "100GiB")
                random_writes(gateway, "bench", GIB // 2, 400)
                gateway.sync("bench")

                def reopened(number, commit=False):
                    before, old = gateway.settled_requests(), gateway.pid("cache")
                    if commit:
                        command = [self.binaries / "sluice", "volume", "sync", "bench", "--config",
                                   gateway.configuration]
                        sync = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                        time.sleep(0.4)
                        before = gateway.requests()
                    os.kill(old, number)
                    wait_for("cache manager", lambda: gateway.pid("cache") != old, 60)
                    gateway.wait_for_target("bench")
                    if commit:
                        sync.wait(120)
                    return difference(gateway.settled_requests(), before)

                clean, again = reopened(signal.SIGTERM), reopened(signal.SIGTERM)
                self.report("open after a clean stop", "1 GET", f"stop and open: {again} with nothing to fold, "
                            f"{clean} with the fold of the stop")
                killed = [reopened(signal.SIGKILL)]
                random_writes(gateway, "bench", 64 * MIB, 410)
                killed.append(reopened(signal.SIGKILL))
                for number in range(3):
                    random_writes(gateway, "bench", CHUNK, 411 + number)
                    killed.append(reopened(signal.SIGKILL, commit=True))
                self.report("open after kill -9", "≤ 10 rounds", f"clean: {killed[0]}; dirty: {killed[1]}; in a "
                            "commit of 240 MiB, which then goes on: " + ", ".join(map(str, killed[2:])),
                            requests=killed)
                gateway.sync("bench")
                before = gateway.settled_requests()
                every = gateway.requests(None)
                time.sleep(self.options.idle)
                asked = difference(gateway.settled_requests(), before)
                self.report("idle exclusive volume", "0 requests", f"{sum(asked.values())} in {self.options.idle} s "
                            f"(other services of the gateway: {difference(gateway.requests(None), every)})")
            finally:
                gateway.remove()
        self.with_server(Directory, work)

    def recovery(self):
        self.with_server(Directory, lambda server: self.recovery_of(server, "1 MiB writes", self.options.dirty))
        self.with_server(
            Directory, lambda server: self.recovery_of(server, "4 KiB random writes", self.options.dirty_random))

    def recovery_of(self, server, name, byte_count):
        gateway = self.gateway(server, buffer="28GiB", journal="29GiB")
        try:
            gateway.create("bench", "100GiB")
            uploader = gateway.pid("uploader")
            os.kill(uploader, signal.SIGSTOP)
            try:
                if name.startswith("1 MiB"):
                    self.fill(gateway, byte_count)
                else:
                    random_writes(gateway, "bench", byte_count, 500)
                dirty = gateway.metric("sluice_queued_writes_bytes") / GIB
                what = f"SIGKILL of the cache manager to the answer of a read, {dirty:.1f} GiB dirty, {name}"
                self.report_times(what + ", the bucket away", "HEAD is tried for 2 s", self.interruptions(gateway))
                self.report_times(what, "< 1 s", self.interruptions(gateway, uploader))
            finally:
                os.kill(uploader, signal.SIGCONT)
            if name.startswith("1 MiB"):
                gateway.sync("bench")
                random_writes(gateway, "bench", 16 * MIB, 500)
                self.report_times(
                    f"the same with {dirty:.1f} GiB clean and 16 MiB dirty", "no longer", self.interruptions(gateway))
        finally:
            gateway.remove()

    def report_times(self, figure, goal, times):
        self.report(figure, goal, f"{median(times):.2f} s ({', '.join(f'{t:.2f}' for t in times)})", seconds=times)

    @staticmethod
    def interruptions(gateway, stopped=None):
        """Seconds from SIGKILL to the answer of a read in a session that stays. `stopped` runs meanwhile only."""
        times = []
        while len(times) < 3 and sum(times) < 60:
            time.sleep(3)  # A service that ran for two seconds is started again at once.
            initiator = Initiator(gateway, "bench")
            initiator.read(1, patience=600)
            if stopped:
                os.kill(stopped, signal.SIGCONT)
            begun = time.monotonic()
            os.kill(gateway.pid("cache"), signal.SIGKILL)
            # The frontend holds the command until it is back, for 20 s, and answers BUSY then.
            initiator.read(1, patience=600)
            times.append(time.monotonic() - begun)
            if stopped:
                os.kill(stopped, signal.SIGSTOP)
            initiator.close()
        return times

    @staticmethod
    def fill(gateway, byte_count):
        run("qemu-img", "bench", "-f", "raw", "-t", "none", "-n", "-w", "--pattern=165", "-s", "1048576", "-d", "8",
            "-c", str(byte_count // MIB), gateway.url("bench"))


def main():
    parts = ["directory", "seaweedfs", "moto", "sequential", "sequential-seaweedfs", "puts", "cold", "opening",
             "recovery"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help="directory of the release executables")
    parser.add_argument("--servers", type=pathlib.Path, default=pathlib.Path(".tools/venv/bin"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--idle", type=int, default=150, help="seconds for which an idle volume is watched")
    parser.add_argument("--dirty", type=int, default=10 * GIB, help="bytes that are dirty when it is killed")
    parser.add_argument("--dirty-random", type=int, default=2 * GIB)
    parser.add_argument("--directory", type=pathlib.Path, help="where data is kept meanwhile (45 GiB)")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("docs/benchmarks"))
    parser.add_argument("--name", default="bucket")
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-", dir=options.directory))
    bench = Bench(options, directory)
    works = dict(zip(parts, [
        lambda: bench.write_back(Directory), lambda: bench.write_back(SeaweedFS), lambda: bench.write_back(Moto),
        lambda: bench.sequential(Directory), lambda: bench.sequential(SeaweedFS), bench.puts, bench.cold_reads,
        bench.opening, bench.recovery]))
    try:
        for part in options.only:
            works[part]()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if bench.rows:
            write(bench, options)


def write(bench, options):
    lines = ["# What the bucket costs", "", f"{os.cpu_count()} cores, {options.rounds} rounds, medians.", "",
             "| figure | goal | measured |", "| --- | --- | --- |"]
    lines += [f"| {figure} | {goal} | {value} |" for figure, goal, value in bench.rows] + [""]
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / f"{options.name}.md").write_text("\n".join(lines))
    (options.output / f"{options.name}.json").write_text(
        json.dumps(bench.figures, indent=1, ensure_ascii=False) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
