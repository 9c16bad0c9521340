#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the sources to the rules that the compiler and the formatter do not know (CONTRIBUTING.md).

One table says who may import whom; the rest are limits and banned spellings. Prints one line per finding,
`file:line: what to do`, and exits 1 if there is any.
"""

import os
import re
import subprocess
import sys

# Who may import whom: a module, the package's modules that it may import, then foreign ones. Every module may import
# Glibc, Synchronization and _StringProcessing unless it is in SANS_IO.
IMPORTS = {
    "Wire": "CISAL CShims",
    "Platform": "CShims Wire",
    "SCSI": "Wire",
    "ISCSI": "Wire SCSI Crypto",
    "Messages": "Wire",
    "ObjectStorage": "Wire Platform",
    "S3": "Wire Platform ObjectStorage AsyncHTTPClient Crypto Foundation NIOCore NIOHTTP1 NIOPosix "
    "NIOSSL",
    "Engine": "Wire Platform CZstd DequeModule FoundationEssentials",
    "Bus": "CZeroMQ Platform Messages Wire Logging Foundation",
    "ServiceKit": "Bus Platform Messages ObjectStorage Wire Logging ServiceLifecycle UnixSignals "
    "ArgumentParser Yams",
    "ISCSIFrontend": "Wire Platform SCSI ISCSI Messages Bus ServiceKit Logging ServiceLifecycle ArgumentParser Yams",
    "CacheManager": "Wire Platform SCSI Messages Bus Engine ServiceKit Logging ServiceLifecycle ArgumentParser",
    "Uploader": "Wire Platform Messages Bus Engine ObjectStorage S3 ServiceKit Logging ServiceLifecycle ArgumentParser",
    "Snapshotter": "Wire Platform Messages Bus Engine ObjectStorage S3 ServiceKit Logging ServiceLifecycle "
    "ArgumentParser FoundationEssentials",
    "MetricsExporter": "Wire Platform Messages Bus ServiceKit Logging ServiceLifecycle ArgumentParser Hummingbird "
    "HTTPTypes NIOCore ServiceContextModule",
    "CLI": "Wire Platform Messages Bus Engine ObjectStorage S3 ServiceKit CShims Logging ServiceLifecycle "
    "ArgumentParser FoundationEssentials",
}
# Fuzz/ is a package of its own; its targets may see what they fuzz.
FUZZ_IMPORTS = {
    "Crypto": "",
    "FuzzSupport": "CLibFuzzer Wire",
    "FuzzInitiator": "FuzzSupport ISCSI",
    "FuzzPDU": "FuzzInitiator FuzzSupport ISCSI SCSI Wire",
    "FuzzTextKeys": "FuzzInitiator FuzzSupport ISCSI Wire",
    "FuzzCDB": "FuzzSupport SCSI Wire FoundationEssentials",
    "FuzzEnvelope": "FuzzSupport Messages Wire",
    "FuzzJournal": "FuzzSupport Engine Platform Wire",
    "FuzzPack": "FuzzSupport Engine Wire",
}
SYSTEM = {"Glibc", "Synchronization", "_StringProcessing"}
# No socket, file, clock, randomness, lock or async.
SANS_IO = {"Wire", "SCSI", "ISCSI", "Messages"}
# Where Engine may use FoundationEssentials: the JSON records, and nothing else.
ENGINE_FOUNDATION = "Shared/Engine/Format/"

FILE_LINES = 500
FUNCTION_LINES = 70
LINE_COLUMNS = 120

BANNED = [
    (re.compile(r"\btry!"), "try! ends the process; handle the error"),
    (re.compile(r"\bas!"), "as! ends the process; use as? or a switch"),
    (re.compile(r"\bfatalError\("), "fatalError: use precondition for programmer errors, throw for the rest"),
    (re.compile(r"\bTask\s*(\.detached\s*)?(\([^)]*\)\s*)?\{"), "a free Task: run it inside a service or task group"),
    (re.compile(r"[\w\])]!(?=[.,;)\]\s]|$)(?!=)"), "force unwrap: bind it or throw"),
    (re.compile(r"^\s*public\s|\bopen class\b"), "public is not used: `package` is the widest access"),
]
BANNED_SANS_IO = [
    (re.compile(r"\basync\b"), "async in a sans-I/O module"),
    (re.compile(r"\b(ContinuousClock|SuspendingClock|SystemRandomNumberGenerator)\b"), "clock or randomness here"),
    (re.compile(r"\.random\(in:[^,)]*\)"), "randomness that is not an argument"),
]
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
# Paths that exist on one machine only. /tmp in tests is a machine-independent place.
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(work|home|root|Users)/[A-Za-z0-9_.-]+")
SPDX = "SPDX-License-Identifier: Apache-2.0"
NEEDS_SPDX = (".swift", ".c", ".h", ".py", ".sh", "Makefile")
TEXT = NEEDS_SPDX + (".md", ".yaml", ".yml", ".json", ".modulemap", "run")

IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:package|internal|private|fileprivate|public)\s+)?"
    r"import\s+(?:struct\s+|class\s+|enum\s+|func\s+|protocol\s+)?(\w+)"
)


def tracked_files():
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], capture_output=True, check=True
    )
    names = [name for name in listing.stdout.decode().split("\0") if name and os.path.isfile(name)]
    return sorted(set(names))


def code_only(text):
    """The Swift text with comments and string literals blanked, line structure kept."""
    result = []
    position, depth = 0, 0
    while position < len(text):
        rest = text[position:]
        if depth:
            if rest.startswith("*/"):
                depth, position = depth - 1, position + 2
            elif rest.startswith("/*"):
                depth, position = depth + 1, position + 2
            else:
                result.append("\n" if text[position] == "\n" else " ")
                position += 1
        elif rest.startswith("//"):
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif rest.startswith("/*"):
            depth, position = 1, position + 2
        elif match := re.match(r'(#*)("""|")', rest):
            hashes, quote = match.groups()
            end = string_end(text, position + len(match.group(0)), quote + hashes, "\\" + hashes)
            literal = text[position:end]
            result.append('""' + "\n" * literal.count("\n"))
            position = end
        else:
            result.append(text[position])
            position += 1
    return "".join(result)


def string_end(text, position, closing, escape):
    while position < len(text):
        if text.startswith(escape + "(", position):
            # An interpolation: skip to its closing parenthesis; strings inside it nest.
            position, depth = position + len(escape) + 1, 1
            while position < len(text) and depth:
                if match := re.match(r'(#*)("""|")', text[position:]):
                    inner = match.groups()
                    position = string_end(
                        text, position + len(match.group(0)), inner[1] + inner[0], "\\" + inner[0]
                    )
                    continue
                depth += {"(": 1, ")": -1}.get(text[position], 0)
                position += 1
        elif text.startswith(escape, position):
            position += len(escape) + 1
        elif text.startswith(closing, position):
            return position + len(closing)
        else:
            position += 1
    return len(text)


def module_of(name):
    parts = name.split("/")
    return parts[1] if len(parts) > 2 and parts[0] in ("Services", "Shared") else None


def fuzz_module_of(name):
    parts = name.split("/")
    return parts[2] if len(parts) > 3 and parts[:2] == ["Fuzz", "Sources"] else None


def check_imports(name, code, module):
    allowed = set((IMPORTS | FUZZ_IMPORTS).get(module, "").split())
    if module not in SANS_IO:
        allowed |= SYSTEM
    if module == "Engine" and not name.startswith(ENGINE_FOUNDATION):
        allowed.discard("FoundationEssentials")
    for number, line in enumerate(code, 1):
        match = IMPORT.match(line)
        if match and match.group(1) not in allowed:
            yield number, f"{module} may not import {match.group(1)} (scripts/tidy.py has the table)"


def check_functions(code):
    """Lengths by braces: from the line of `func` or `init` to the brace that closes its body."""
    start = re.compile(r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:[a-z]+(?:\(set\))?\s+)*(?:func\s|init[?(<]|deinit\b)")
    for number, line in enumerate(code):
        if not start.match(line):
            continue
        depth, opened = 0, False
        for length, later in enumerate(code[number:], 1):
            depth += later.count("{") - later.count("}")
            opened = opened or "{" in later
            if opened and depth <= 0:
                if length > FUNCTION_LINES:
                    yield number + 1, f"the function has {length} lines, at most {FUNCTION_LINES} are allowed"
                break
            if not opened and length > 15:
                break


def check_swift(name, text):
    code = code_only(text).split("\n")
    module = module_of(name)
    if module:
        if module not in IMPORTS:
            yield 1, f"module {module} is missing in the import table of scripts/tidy.py"
        yield from check_imports(name, code, module)
        banned = BANNED + (BANNED_SANS_IO if module in SANS_IO else [])
        for number, line in enumerate(code, 1):
            for pattern, reason in banned:
                if pattern.search(line):
                    yield number, reason
    if fuzz_module := fuzz_module_of(name):
        if fuzz_module not in FUZZ_IMPORTS:
            yield 1, f"module {fuzz_module} is missing in the table of fuzz targets of scripts/tidy.py"
        yield from check_imports(name, code, fuzz_module)
    if len(text.splitlines()) > FILE_LINES:
        yield FILE_LINES + 1, f"the file has more than {FILE_LINES} lines; split it by type"
    yield from check_functions(code)


def check(name):
    with open(name, encoding="utf-8", errors="replace") as file:
        text = file.read()
    lines = text.split("\n")
    if name.endswith(NEEDS_SPDX) and not any(SPDX in line for line in lines[:2]):
        if name != "Package.swift":
            yield 1, f"the first line has to be the licence: {SPDX}"
    is_source = name.endswith(NEEDS_SPDX)
    for number, line in enumerate(lines, 1):
        if is_source and len(line) > LINE_COLUMNS:
            yield number, f"{len(line)} columns, at most {LINE_COLUMNS} are allowed"
        if name != "scripts/tidy.py" and is_source and UNFINISHED.search(line):
            yield number, "unfinished work belongs in the issue tracker"
        if name != "scripts/tidy.py" and MACHINE_PATH.search(line):
            yield number, "a path of one machine"
    if name.endswith(".swift"):
        yield from check_swift(name, text)


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    findings = 0
    for name in tracked_files():
        if not name.endswith(TEXT):
            continue
        for number, message in sorted(check(name)):
            print(f"{name}:{number}: {message}")
            findings += 1
    if findings:
        print(f"tidy: {findings} finding(s)", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
