"""Symbols of the built objects and of the shared library.

arch LIST     LIST has one line per object: "<instruction set or -> <path>". No symbol may be defined both by
              an object built for one instruction set and by any object built with other flags: the linker
              keeps one of them, and the wrong one crashes on an older CPU.
exports LIB FILE   What LIB exports must be exactly the lines of FILE.
face HEADER FILE   HEADER, the C++ face, calls every function of FILE but those that need no face.
size LIB BYTES     A stripped copy of LIB may be BYTES large.
"""
import collections
import os
import re
import subprocess
import sys
import tempfile


def nm(*arguments):
    tool = os.environ.get("NM", "nm")
    run = subprocess.run([tool, "--format=posix", *arguments], check=True, capture_output=True, text=True)
    for line in run.stdout.splitlines():
        fields = line.split()
        if len(fields) >= 2 and len(fields[1]) == 1:
            yield fields[0], fields[1]


def check_arch(list_file):
    with open(list_file, encoding="utf-8") as f:
        objects = [line.split(maxsplit=1) for line in f.read().splitlines() if line]
    owners = collections.defaultdict(set)
    for flags, path in objects:
        for symbol, _ in nm("--defined-only", "--extern-only", path):
            owners[symbol].add(flags)
    shared = sorted(s for s, flags in owners.items() if len(flags) > 1)
    for symbol in shared:
        demangled = subprocess.run(["c++filt", symbol], capture_output=True, text=True, check=False).stdout.strip()
        print(f"{', '.join(sorted(owners[symbol]))}: {demangled}")
    instruction_sets = {flags for flags, _ in objects} - {"-"}
    print(f"{len(objects)} objects, {len(instruction_sets)} instruction sets, {len(owners)} symbols, {len(shared)} shared")
    return not shared and len(instruction_sets) > 1 and owners


def check_exports(library, expected_file):
    # Absolute symbols are the names of version nodes.
    exported = {s.split("@")[0] for s, kind in nm("--dynamic", "--defined-only", library) if kind != "A"}
    with open(expected_file, encoding="utf-8") as f:
        expected = {line for line in f.read().splitlines() if line and not line.startswith("#")}
    for symbol in sorted(exported - expected):
        print(f"exported, but not in {expected_file}: {symbol}")
    for symbol in sorted(expected - exported):
        print(f"in {expected_file}, but not exported: {symbol}")
    print(f"{len(exported)} exported symbols")
    return exported == expected and exported


# Called from C++ as they are: they take and give plain values.
FACELESS = {"coffer_version", "coffer_arch", "coffer_status_name", "coffer_detail_name"}


def uncalled(text, functions):
    return {f for f in functions if not re.search(rf"\b{f}\b", text)}


def check_face(header, expected_file):
    with open(expected_file, encoding="utf-8") as f:
        functions = set(f.read().split())
    with open(header, encoding="utf-8") as f:
        text = re.sub(r"//.*", "", f.read())
    missing = uncalled(text, functions)
    for function in sorted(missing - FACELESS):
        print(f"{header} does not call {function}")
    for function in sorted(FACELESS - missing):
        print(f"{function} is called, or is no function: FACELESS must not name it")
    # A function that is gone from the face would be noticed.
    probe = next(iter(functions - missing))
    notices = probe in uncalled(text.replace(probe, ""), functions)
    print(f"{len(functions)} functions, {len(missing)} without a face")
    return missing == FACELESS and notices


def check_size(library, limit):
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "library")
        subprocess.run([os.environ.get("STRIP", "strip"), "-o", stripped, library], check=True)
        size = os.path.getsize(stripped)
    print(f"{size} bytes stripped, {limit} allowed")
    return 0 < size <= int(limit)


def main():
    checks = {"arch": check_arch, "exports": check_exports, "face": check_face, "size": check_size}
    return 0 if checks[sys.argv[1]](*sys.argv[2:]) else 1


if __name__ == "__main__":
    sys.exit(main())
