#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes Corpus/ from the golden files: for each target inputs that decode, from which libFuzzer finds its way.

Run it when a format has a new golden file, or when a target reads its input in another way. What longer runs have
found besides is not kept: it is found again within minutes, and would outweigh the sources.
"""

import json
import os
import re
import shutil

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "Tests", "Golden")
LARGEST = 5000


def golden(name):
    path = os.path.join(GOLDEN, name)
    if not name.endswith(".hex"):
        with open(path, "rb") as file:
            return file.read()
    with open(path, encoding="utf-8") as file:
        digits = "".join(line.split("#")[0] for line in file)
    return bytes.fromhex("".join(digits.split()))


def put(target, name, data):
    if len(data) > LARGEST:
        return
    directory = os.path.join(HERE, "Corpus", target)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data)


def names(directory):
    return sorted(os.listdir(os.path.join(GOLDEN, directory)))


def pack():
    # The numbers are those of the table in FuzzPack.swift; 1 leaves checksums as they are.
    formats = {
        "pack/v1/frame-raw.hex": 0, "pack/v1/frame-zstd.hex": 0, "pack/v1/pack-zstd.hex": 1,
        "map/v1/leaf.hex": 4, "map/v1/inner.hex": 4, "map/v1/table-page.hex": 4, "map/v1/table-root.hex": 4,
        "map/v1/tree-pack.hex": 5, "map/v1/table-pack.hex": 5, "cache/v1/region-header.hex": 7,
        "cache/v1/region-tail.hex": 8, "cache/v1/frame-header.hex": 9, "head/v1/head.json": 11,
        "head/v1/head-lease.json": 11, "head/v1/snapshot.json": 12, "head/v2/snapshot.json": 12,
        "head/v2/snapshot-pending.json": 12, "head/v1/group.json": 13, "head/v1/pending-snapshot.json": 14,
        "head/v1/local-state.json": 15, "head/v1/local-state-lease.json": 15, "head/v1/format.json": 16,
    }
    for name, number in formats.items():
        base = os.path.basename(name).split(".")[0] + "-" + name.split("/")[1]
        for sealed in (0, 1):
            if sealed == 0 or len(golden(name)) < 1000:
                put("FuzzPack", f"{base}-{sealed}", bytes([number, sealed]) + golden(name))
    whole = golden("pack/v1/pack-zstd.hex")
    start, length = (int.from_bytes(whole[-64 + at:-60 + at], "little") for at in (48, 52))
    put("FuzzPack", "directory-0", bytes([2, 0]) + whole[start:start + length])


def envelope():
    for name in ("envelope-hello", "envelope-empty-reply"):
        for mode in (0, 1):
            put("FuzzEnvelope", f"{name}-{mode}", bytes([mode]) + golden(f"messages/v1/{name}.hex"))
    for name in ("io-request", "io-reply"):
        put("FuzzEnvelope", name, bytes([3]) + golden(f"messages/v1/{name}.hex"))
    with open(os.path.join(GOLDEN, "..", "..", "Shared", "Messages", "MessageKind.swift"), encoding="utf-8") as file:
        kinds = [int(value, 16) for value in re.findall(r"case \w+ = (0x[0-9a-f]+)", file.read())]
    # The shortest that is recorded of each kind, but not an empty one if there are others.
    recorded = {}
    with open(os.path.join(GOLDEN, "messages", "v1.0-recorded.jsonl"), encoding="utf-8") as file:
        for line in file:
            message = json.loads(line)
            body = bytes.fromhex(message["body"])
            key = (message["kind"], message["isReply"])
            if len(body) > 4 and len(body) < len(recorded.get(key, body + b"0")) or key not in recorded:
                recorded[key] = body
    for (kind, is_reply), body in recorded.items():
        if kind in kinds:
            data = bytes([2, kinds.index(kind), int(is_reply)]) + body
            put("FuzzEnvelope", f"body-{kind:02x}-{'reply' if is_reply else 'request'}", data)


def pdu():
    # Connection with its smallest limits, no login, then one step that receives these 48 bytes.
    for name in names("iscsi/v1"):
        data = golden("iscsi/v1/" + name)[:48]
        put("FuzzPDU", name.split(".")[0], bytes(8) + b"\x00\x0c" + data)
    # A login, then commands, data, text, task management, a ping and a logout.
    session = bytes(8) + b"\x01" + bytes(10)
    for step in (3, 13, 3, 6, 6, 9, 8, 10, 14, 14, 11):
        session += bytes([step]) + bytes(12)
    put("FuzzPDU", "session", session)


def text():
    pairs = b"InitiatorName=iqn.2026-01.a:i\0TargetName=iqn.2026-01.a:t\0HeaderDigest=CRC32C,None\0"
    put("FuzzTextKeys", "pairs", b"\x00" + pairs)
    for name in ("iqn.2026-01.a:i", "0x00ff", "0bAAEC", "0b/+8=", "5,6,7,8", "18446744073709551615"):
        put("FuzzTextKeys", "value-" + re.sub(r"\W", "-", name), b"\x01\x00\x00\x00" + name.encode())
    put("FuzzTextKeys", "negotiation", b"\x02" + bytes(6) + bytes(range(9, 120, 3)))
    # One request with names and AuthMethod=None, to the full feature phase.
    put("FuzzTextKeys", "login", b"\x03" + bytes(7) + b"\x03" + bytes(2) + b"\x02\x04\x05")


def cdb():
    # One command of each opcode, by its place in the table: step 1, definition, usage bits, then what it takes.
    for place in range(0, 66, 3):
        put("FuzzCDB", f"command-{place:02d}", b"\x00" + bytes([1, place]) + bytes(24) + bytes([8]) + bytes(8))
    reservations = b"\x00"
    for action in range(7):
        reservations += bytes([4, action | 0x18, 0x05, 0, 0, 0, 0, 0])
    put("FuzzCDB", "reservations", reservations)
    put("FuzzCDB", "copy", b"\x00\x0d" + bytes([2, 0, 1, 2, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0]) + bytes(16))


def journal():
    header = bytes.fromhex("534c4a52") + b"\x01\x00\x01\x00" + bytes(36) + b"\x00\x10\x00\x00" + bytes(48)
    put("FuzzJournal", "header", b"\x00" + header)
    put("FuzzJournal", "intent", b"\x01" + bytes(32) + b"\x01" + bytes(23))
    put("FuzzJournal", "table", b"\x01\x01" + bytes(7) + b"\x09" + bytes(7) + bytes(8) + b"\x01" + bytes(7) + bytes(8))
    for segments in range(3):
        records = bytes([2, 0x40, 1, 3, 1, 8, 0]) * 12
        put("FuzzJournal", f"journal-{segments}", b"\x03\x00" + bytes([segments]) + records)


shutil.rmtree(os.path.join(HERE, "Corpus"), ignore_errors=True)
for write in (pack, envelope, pdu, text, cdb, journal):
    write()
