"""Symbols of the built objects and of the shared library.

arch LIST     LIST has one line per object: "<instruction set or -> <path>". No symbol may be defined both by
              an object built for one instruction set and by any object built with other flags: the linker
              keeps one of them, and the wrong one crashes on an older CPU.
abi HEADER FILE    The declarations of HEADER, coffer.h, are those of FILE, word for word: what a program was compiled
              against stays. Additions go at the end of an enum or struct, and into FILE.
exports LIB FILE   What LIB exports must be exactly the functions of FILE.
face HEADER FILE   HEADER, the C++ face, calls every function of FILE but those that need no face.
needs LIB NAME...  LIB needs no shared library but those of these names.
size LIB BYTES     A stripped copy of LIB may be BYTES large.
"""
import collections
import difflib
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


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def check_arch(list_file):
    objects = [line.split(maxsplit=1) for line in read(list_file).splitlines() if line]
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


def declarations(header):
    """Numbers that macros stand for, then each declaration, members on lines of their own."""
    text = re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL).replace("\\\n", " ")
    numbers = re.findall(r"^#define (COFFER_(?!VERSION)\w+) (\w+) *$", text, flags=re.MULTILINE)
    text = " ".join(re.sub(r"^#.*", " ", text, flags=re.MULTILINE).split())
    text = re.sub(r'extern "C" { |COFFER_API |COFFER_CALL ?| COFFER_NOEXCEPT', "", text).replace("(* ", "(*").removesuffix(" }")
    text = re.sub(r"enum \w+ {.*?}", lambda m: m[0].replace(", ", ",\n    "), text)
    text = text.replace("{ ", "{\n    ").replace("; ", ";\n").replace(" }", "\n}")
    # Members of a struct are indented too.
    text = re.sub(r"{\n.*?\n}", lambda m: re.sub(r"\n(?! |})", "\n    ", m[0]), text, flags=re.DOTALL)
    return [f"#define {name} {value}" for name, value in numbers if value[0].isdigit()] + text.splitlines()


def functions_of(abi):
    return set(re.findall(r"^(?!typedef|    ).*?\b(coffer_\w+)\(", abi, flags=re.MULTILINE))


def check_abi(header, expected_file):
    got, expected = declarations(read(header)), read(expected_file).splitlines()
    sys.stdout.writelines(line + "\n" for line in difflib.unified_diff(expected, got, expected_file, header, lineterm=""))
    print(f"{len(got)} lines of declarations")
    return got == expected and len(functions_of("\n".join(got))) > 50


def check_exports(library, expected_file):
    # Absolute symbols are the names of version nodes.
    exported = {s.split("@")[0] for s, kind in nm("--dynamic", "--defined-only", library) if kind != "A"}
    expected = functions_of(read(expected_file))
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
    functions = functions_of(read(expected_file))
    text = re.sub(r"//.*", "", read(header))
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


def check_needs(library, *names):
    run = subprocess.run([os.environ.get("READELF", "readelf"), "-dW", library], check=True, capture_output=True, text=True)
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run.stdout)
    others = [name for name in needed if name.split(".so")[0] not in names]
    print(f"needs {', '.join(needed)}; not expected: {', '.join(others) or 'none'}")
    return needed and not others


def check_size(library, limit):
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "library")
        subprocess.run([os.environ.get("STRIP", "strip"), "-o", stripped, library], check=True)
        size = os.path.getsize(stripped)
    print(f"{size} bytes stripped, {limit} allowed")
    return 0 < size <= int(limit)


def main():
    checks = {"arch": check_arch, "abi": check_abi, "exports": check_exports, "face": check_face,
              "needs": check_needs, "size": check_size}
    return 0 if checks[sys.argv[1]](*sys.argv[2:]) else 1


if __name__ == "__main__":
    sys.exit(main())
