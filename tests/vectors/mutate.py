#!/usr/bin/env python3
"""Takes every single check of format.md 5.5 out of the library, one at a time, and shows that a test notices.

    mutate.py [--only TEXT] [--write]

Copies the tree to build/mutants and there puts a switch into each condition that refuses a file: each `if (...) return
error` of FILES, each alternative of an `||` on its own, and the places of BY_HAND that are not of that form. One build
holds all of them; COFFER_MUTANT=N turns number N off. For each it runs the tests below until one fails. A mutant that no
test notices is an error, unless SURVIVES says why it cannot matter; so is a line there that no longer survives. --write puts the table
into README.md. Takes some minutes, so it is run by hand: `./dev mutate`.
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TREE = ROOT / "build" / "mutants"
# Programs with filters, the quick and telling ones first.
LONG = ["every b*", "bytes of*", "writing takes*", "two who*"]
TESTS = [("vectors", []), ("container", [f"~{name}" for name in LONG]), ("trust", []), ("graph", []), ("base", []),
         ("container", [",".join(LONG)])]
LIMITED = ["prlimit", "--cpu=120", f"--as={8 << 30}", "--core=0"]

# file: (step, functions) pairs; a check belongs to the step of the function it stands in.
FILES = {
    "src/trust/policy.cpp": [(1, "check")],
    "src/container/source.cpp": [(2, "open"), (2, "read_at")],
    "src/base/os_linux.cpp": [(2, "open_read|finish_open|open_regular"), (2, "read_at")],
    "src/container/header.cpp": [(3, "parse_header"), (4, "derive_regions|check_regions")],
    "src/trust/signature.cpp": [(5, "parse_signatures")],
    "src/container/grant.cpp": [(7, "parse_grant|grants_for")],
    "src/container/licence.cpp": [(8, "parse_wraps|accept_licences"), (9, "unwrap_\\w+|\\w*licens\\w+")],
    "src/trust/licence.cpp": [(8, "decode|parse_licence|decode_claims|verify_licence|check_\\w+")],
    "src/container/opening.cpp": [(n, f"step_{n}_\\w+") for n in range(1, 17)] + [(11, "manifest_hash")],
    "src/container/slots.cpp": [(7, "parse_slot_list|parse_slots|check_slot_rules"), (9, "run|try_\\w+|unwrap")],
    "src/container/slot_kinds.cpp": [(9, "open_dek")],
    "src/container/slot_raw.cpp": [(9, "unwrap_\\w+")],
    "src/container/slot_x25519.cpp": [(9, "unwrap_\\w+")],
    "src/container/slot_scrypt.cpp": [(9, "unwrap_\\w+")],
    "src/container/manifest_decode.cpp": [(12, "\\w+")],
    "src/graph/verify.cpp": [(12, "\\w+")],
    "src/container/payload.cpp": [(13, "read_table"), (15, "compare_leaf")],
    "src/container/manifest_bind.cpp": [(16, "\\w+")],
    "src/codec/strings.cpp": [(16, "decode_strings")],
}

# (step, what, file, text, text with $M in it): $M is true while the check is off. The text must be there exactly once.
BY_HAND = [
    (1, "the policy is checked at all", "src/container/opening.cpp",
     "COFFER_TRY(policy_.check());", "if (!$M) COFFER_TRY(policy_.check());"),
    (4, "regions are checked at all", "src/container/opening.cpp",
     "COFFER_TRY(check_regions(h, facts_.file_size));", "if (!$M) COFFER_TRY(check_regions(h, facts_.file_size));"),
    (4, "manifest_len is not 0", "src/container/header.cpp", "if (h.manifest_len == 0 ||", "if ((h.manifest_len == 0 && !$M) ||"),
    (4, "manifest_len is whole pages", "src/container/header.cpp",
     "h.manifest_len % kRegionAlign != 0 ||", "(h.manifest_len % kRegionAlign != 0 && !$M) ||"),
    (4, "payload_len is at most 2^42", "src/container/header.cpp",
     "h.payload_len > kMaxPayload) return false;", "(h.payload_len > kMaxPayload && !$M)) return false;"),
    (5, "nothing stands behind alg 0", "src/trust/signature.cpp", "return padded && zeros(rest)", "return padded && ($M || zeros(rest))"),
    (5, "a bad signature of a trusted key ends it", "src/container/opening.cpp",
     "COFFER_TRY(authentic_or(signer->verify(trust::kHeaderLabel, facts_.content_id, entry.signature),\n"
     "                                Detail::kSignature));",
     "if (!$M) COFFER_TRY(authentic_or(signer->verify(trust::kHeaderLabel, facts_.content_id, entry.signature),\n"
     "                                Detail::kSignature));"),
    (5, "an entry is of the algorithm of its key", "src/container/opening.cpp",
     "if (!signer || entry.alg != static_cast<uint16_t>(signer->alg)) continue;",
     "if (!signer || (entry.alg != static_cast<uint16_t>(signer->alg) && !$M)) continue;"),
    (5, "the threshold is reached", "src/container/opening.cpp",
     "facts_.signers.size() >= needed ||", "facts_.signers.size() >= ($M ? 0 : needed) ||"),
    (7, "slots may stand together", "src/container/opening.cpp",
     "COFFER_TRY(check_slot_rules(slots_, h, !facts_.signers.empty()));",
     "if (!$M) COFFER_TRY(check_slot_rules(slots_, h, !facts_.signers.empty()));"),
    (7, "a distributor signed SLOTS where the file asks for it", "src/container/opening.cpp",
     "if (h.has(kSlotsSigned)) COFFER_TRY(", "if (h.has(kSlotsSigned) && !$M) COFFER_TRY("),
    (7, "a distributor signed a grant where the file asks for it", "src/container/grant.cpp",
     "if (header.has(kSlotsSigned)) COFFER_TRY(", "if (header.has(kSlotsSigned) && !$M) COFFER_TRY("),
    (7, "a grant is for this file", "src/container/grant.cpp",
     "if (grant.content_id != content_id) continue;", "if (grant.content_id != content_id && !$M) continue;"),
    (7, "one of the signatures of SLOTS is a distributor's", "src/container/slots.cpp",
     "return enough ? Status() : not_authentic(Detail::kSignature);", "return enough || $M ? Status() : not_authentic(Detail::kSignature);"),
    (8, "a licence is asked for", "src/container/opening.cpp",
     "if (!facts_.header.has(kLicenceRequired)) return {};", "if ($M || !facts_.header.has(kLicenceRequired)) return {};"),
    (9, "with a licence no other key opens", "src/container/opening.cpp",
     "if (facts_.header.has(kLicenceRequired)) return unwrap_licensed();",
     "if (facts_.header.has(kLicenceRequired) && !$M) return unwrap_licensed();"),
    (9, "a raw key slot names its key", "src/container/slot_raw.cpp",
     "const auto it = std::ranges::find(keys, id, &trust::RawKey::id);",
     "const auto it = $M && !keys.empty() ? keys.begin() : std::ranges::find(keys, id, &trust::RawKey::id);"),
    (9, "a hint matches", "src/container/slot_x25519.cpp", "if (own != hint) continue;", "if (own != hint && !$M) continue;"),
    (9, "the wrapping opens", "src/container/slot_kinds.cpp",
     "    COFFER_TRY(\n        authentic_or(crypto::open_once(slot.suite, key.wrap.bytes(), {}, slot.context, sealed, dek.mutable_bytes()),\n"
     "                     Detail::kUnwrap));",
     "    Status opened = authentic_or(crypto::open_once(slot.suite, key.wrap.bytes(), {}, slot.context, sealed, dek.mutable_bytes()),\n"
     "                     Detail::kUnwrap);\n    if (!$M) COFFER_TRY(std::move(opened));"),
    (9, "kinds the policy does not allow", "src/container/slots.cpp",
     "if (means_.policy.allows_slot(slot.kind)) COFFER_TRY(", "if (means_.policy.allows_slot(slot.kind) || $M) COFFER_TRY("),
    (9, "providers are asked a limited number of times", "src/container/slots.cpp",
     "!means_.take_call()) return {};", "(!means_.take_call() && !$M)) return {};"),
    (9, "passwords come last", "src/container/slots.cpp", "if (!kind->costly) COFFER_TRY(", "if (!kind->costly || $M) COFFER_TRY("),
    (11, "MANIFEST's AEAD", "src/container/opening.cpp",
     "return authentic_or(opener.open(key.nonce(), manifest_aad(h), text, tag, text), Detail::kManifestAuth);",
     "Status opened = authentic_or(opener.open(key.nonce(), manifest_aad(h), text, tag, text), Detail::kManifestAuth);\n"
     "    return $M ? Status() : std::move(opened);"),
    (12, "the model as a whole", "src/container/manifest_decode.cpp", "        COFFER_TRY(std::move(sound));\n",
     "        if (!$M) COFFER_TRY(std::move(sound));\n"),
    (12, "a payload ends with its last item", "src/container/manifest_decode.cpp",
     "        COFFER_TRY(payload_end());\n", "        if (!$M) COFFER_TRY(payload_end());\n"),
    (15, "chunks are opened by their AEAD", "src/container/payload.cpp",
     "return authentic_or(opener_.open(nonce, aad_.at(i), chunk, table.tag(i), chunk), Detail::kChunkAuth);",
     "Status opened = authentic_or(opener_.open(nonce, aad_.at(i), chunk, table.tag(i), chunk), Detail::kChunkAuth);\n"
     "        return $M ? Status() : std::move(opened);"),
    (15, "chunks are loaded at all", "src/container/opening.cpp",
     "return payload_->load(0, facts_.header.payload_len, options_.parallel);",
     "return $M ? Status() : payload_->load(0, facts_.header.payload_len, options_.parallel);"),
    (15, "leaves are compared", "src/container/payload.cpp",
     "if (setup_.integrity == trust::Integrity::kFull) {", "if (setup_.integrity == trust::Integrity::kFull && !$M) {"),
    (15, "leaves are compared without a key", "src/container/payload.cpp",
     "        return compare_leaves(h, table, run, buffer);\n", "        return $M ? Status() : compare_leaves(h, table, run, buffer);\n"),
    (16, "padding of the payload is zero", "src/container/manifest_bind.cpp",
     "if (!access.lazy) COFFER_TRY(check_padding(m, payload));", "if (!access.lazy && !$M) COFFER_TRY(check_padding(m, payload));"),
    (16, "booleans are 0 or 1", "src/container/manifest_bind.cpp",
     "if (t.dtype == DType::kBool &&", "if (!$M && t.dtype == DType::kBool &&"),
]

# "file: condition": why no test can notice.
_SUMS = "sizes that do not fit are beyond the payload, which is asked next, and sums over the tables that a manifest may have stay below 2^64"
_OPENING, _DECODE = "src/container/opening.cpp", "src/container/manifest_decode.cpp"
SURVIVES = {
    "src/base/os_linux.cpp: open_read: ::fstat(fd.get(), &info) != 0": "a descriptor that is open can be asked",
    f"{_OPENING}: step_14_memory: !checked_add(h.payload_len + h.table_len, manifest_.extra_memory, &memory)": _SUMS,
    f"{_DECODE}: extra_memory: !checked_mul(count, each, &bytes)": _SUMS,
    f"{_DECODE}: extra_memory: !checked_add(bytes, out_.extra_memory, &out_.extra_memory)": _SUMS,
    f"{_DECODE}: size: !checked_nbytes(t.shape, t.dtype, &decoded)": _SUMS,
    f"{_DECODE}: size: !checked_round_up<uint64_t>(decoded, kItemAlign, &aligned)": _SUMS,
    f"{_DECODE}: size: !checked_add(out_.decoded_bytes, aligned, &out_.decoded_bytes)": _SUMS,
    f"{_DECODE}: item: out_.payload_end > context_.payload_len": "payload_end() compares the end of the last item again",
    f"{_DECODE}: graph: values_ > kMaxRecords": "the cap on tables is reached before",
}

REFUSAL = re.compile(r"\{?\s*return (?:std::move\(\w+\)\.error\(\)|\w*error|format_error|unsupported|over_limit|manifest_invalid|refused|"
                     r"not_authentic|damaged|bad|untrusted|io_error)\b")
FUNCTION = re.compile(r"^(?:    )?[\w:<>,&*\s\[\]]*?\b(\w+)\([^;{}]*\)(?: const)?(?: noexcept)? \{$", re.M)


TOKEN = re.compile(r"""[()]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'|//[^\n]*""")


def balanced(text, at):
    """The end of the parenthesis that opens at `at`."""
    depth = 0
    for token in re.finditer(TOKEN, text[at:]):
        depth += {"(": 1, ")": -1}.get(token.group(), 0)
        if depth == 0:
            return at + token.end()
    raise ValueError("parentheses")


def alternatives(condition):
    """(start, end) of the alternatives of an `||` at the top level."""
    if "?" in condition:
        return [(0, len(condition))]
    depth, start, parts = 0, 0, []
    for i, c in enumerate(condition):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(c, 0)
        if depth == 0 and condition.startswith("||", i):
            parts.append((start, i))
            start = i + 2
    return parts + [(start, len(condition))]


def step_of(text, at, rules):
    names = [m.group(1) for m in FUNCTION.finditer(text, 0, at) if m.group(1) not in ("if", "for", "while", "switch")]
    for step, pattern in rules:
        if names and re.fullmatch(pattern, names[-1]):
            return step, names[-1]
    return None, None


class Mutants:
    """All switches, and the texts they are put into."""

    def __init__(self):
        self.list = []  # (step, where, what)
        self.texts = {name: (ROOT / name).read_text() for name in {*FILES, *(rule[2] for rule in BY_HAND)}}

    def number(self, step, where, what):
        self.list.append((step, where, " ".join(what.split())))
        return f"coffer_mutant({len(self.list)})"

    def put_into(self, name, rules):
        text, out, done = self.texts[name], [], 0
        for match in re.finditer(r"\bif \(", text):
            if "//" in text[text.rindex("\n", 0, match.start()):match.start()]:
                continue
            open_at = match.end() - 1
            close = balanced(text, open_at)
            condition = text[open_at + 1:close - 1]
            step, function = step_of(text, match.start(), rules)
            if step is None or not REFUSAL.match(text[close:].lstrip()) or ";" in condition or "=" in re.sub(r"[=!<>]=|\[=\]", "", condition):
                continue
            parts = []
            for start, end in alternatives(condition):
                part = condition[start:end].strip()
                parts.append(f"(({part}) && !{self.number(step, f'{name}: {function}', part)})")
            out.append(text[done:open_at + 1] + " || ".join(parts))
            done = close - 1
        self.texts[name] = "".join(out) + text[done:]

    def by_hand(self):
        for step, what, name, old, new in BY_HAND:
            text = self.texts[name]
            if text.count(old) != 1:
                sys.exit(f"mutate.py: {name} has moved on: '{old.strip()}' is there {text.count(old)} times")
            self.texts[name] = text.replace(old, new.replace("$M", self.number(step, name, what)))


SWITCH = """#include <cstdlib>
static inline bool coffer_mutant(int number) {
    static const char* const text = std::getenv("COFFER_MUTANT");
    static const int chosen = text ? std::atoi(text) : 0;
    return chosen == number;
}
"""


def prepare():
    mutants = Mutants()
    # By hand first: its texts are those of the tree as it is.
    mutants.by_hand()
    for name, rules in FILES.items():
        mutants.put_into(name, rules)
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    for name in files:
        target, data = TREE / name, (ROOT / name).read_bytes()
        if name in mutants.texts:
            data = (SWITCH + mutants.texts[name]).encode()
        if not target.exists() or target.read_bytes() != data:  # a file that is as it was is not compiled again
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            shutil.copymode(ROOT / name, target)
    return mutants.list


def build():
    environment = dict(os.environ)
    if shutil.which("ccache"):
        environment.update(CMAKE_CXX_COMPILER_LAUNCHER="ccache", CMAKE_C_COMPILER_LAUNCHER="ccache")
    subprocess.run(["cmake", "--preset", "ci"], cwd=TREE, check=True, env=environment, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", "build/release", *sorted({f"test_{name}" for name, _ in TESTS})], cwd=TREE, check=True, stdout=sys.stderr)


def failing(test, filters, number):
    """Names of what fails in one test program with a check turned off; [] when all pass."""
    environment = {**os.environ, "COFFER_MUTANT": str(number)}
    program = TREE / "build" / "release" / "bin" / f"test_{test}"
    done = subprocess.run([*LIMITED, program, "-r", "xml", *filters], env=environment, capture_output=True)
    if done.returncode == 0:
        return []
    try:
        root = ElementTree.fromstring(done.stdout)
    except ElementTree.ParseError:
        return [f"(ends with {done.returncode})"]
    names = []
    for case in root.iter("TestCase"):
        vectors = [info.text.strip().split(":")[0] for info in case.iter("Info")] if test == "vectors" else []
        if vectors:
            names += dict.fromkeys(vectors)
        elif any(result.get("success") == "false" for result in case.iter("OverallResult")):
            names.append(case.get("name"))
    return names or [f"(ends with {done.returncode})"]


def who_notices(number):
    """The first test that fails with a check turned off, or None."""
    return next(((test, names) for test, filters in TESTS if (names := failing(test, filters, number))), None)


def main(arguments):
    only = arguments[arguments.index("--only") + 1] if "--only" in arguments else ""
    mutants = prepare()
    build()
    for test, filters in TESTS:
        if names := failing(test, filters, 0):
            sys.exit(f"test_{test} fails with every check in place: {names}")
    rows, wrong = [], []
    chosen = [(number, *mutant) for number, mutant in enumerate(mutants, 1) if only in f"{mutant[1]}: {mutant[2]}"]
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    for (number, step, where, what), noticed in zip(chosen, pool.map(lambda mutant: who_notices(mutant[0]), chosen)):
        reason = SURVIVES.get(f"{where}: {what}")
        if noticed:
            test, names = noticed
            text = f"`{test}`: {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        else:
            text = f"nothing can: {reason}"
        if bool(noticed) == bool(reason):
            wrong.append(f"{where}: {what}")
        rows.append((step, where, what, text))
        print(f"{number}/{len(mutants)} step {step} {where}: {what} -> {text}", flush=True)
    missing = set(range(1, 17)) - {step for step, *_ in rows}
    if missing and not only:
        wrong.append(f"no check of step {sorted(missing)}")
    if "--write" in arguments and not wrong:
        write_table(rows)
    if wrong:
        sys.exit("not as expected:\n" + "\n".join(wrong))


def write_table(rows):
    text = (HERE / "README.md").read_text()
    head, mark, _ = text.partition("<!-- made by mutate.py -->\n")
    if not mark:
        sys.exit("README.md has no place for the table")
    cell = lambda s: s.replace("|", "\\|")  # noqa: E731
    lines = ["| step | where | check taken out | what fails |", "| --- | --- | --- | --- |"]
    lines += [f"| {step} | {cell(where)} | `{cell(what)}` | {cell(result)} |" for step, where, what, result in sorted(rows)]
    (HERE / "README.md").write_text(head + mark + "\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
