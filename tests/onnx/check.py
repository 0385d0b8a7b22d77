#!/usr/bin/env python3
"""Runs `model-pack onnx-test` over the ONNX node cases and holds the outcome against expectations.txt.

    check.py CASES_DIR [--optimize] [--write-docs | --write-expectations]

CASES_DIR is filled by generate.py when it is empty or of another onnx version. A case that does not pass must be
listed in expectations.txt with the reason; a listed case that passes is an error too, so the list cannot rot
(`either` is for results that are a matter of chance).
--optimize runs the graph passes first: the same cases must pass. --write-docs writes the totals to
docs/onnx-coverage.md; without it a document that is out of date is an error.
"""

import collections
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
from model_pack import ROOT, program, use_venv  # noqa: E402

EXPECTATIONS = HERE / "expectations.txt"
DOCUMENT = ROOT / "docs" / "onnx-coverage.md"


def read_expectations():
    """{case: (outcome, reason)} from lines `outcome CASE: reason`."""
    expected = {}
    for number, line in enumerate(EXPECTATIONS.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        head, _, reason = line.partition(": ")
        outcome, _, case = head.partition(" ")
        if outcome not in ("failed", "unsupported", "either") or not case or not reason or case in expected:
            sys.exit(f"{EXPECTATIONS.name}:{number}: not `failed|unsupported|either CASE: REASON`, or said twice")
        expected[case] = (outcome, reason)
    return expected


def run(cases, optimize):
    command = [program(), "onnx-test", str(cases), "--json", *(["--optimize"] if optimize else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    if done.returncode not in (0, 8):  # 8: some case did not pass
        sys.exit(f"onnx-test ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


def compare(results, expected):
    """Lines about every case whose outcome is not the expected one."""
    lines = []
    for case in results:
        outcome, _ = expected.get(case["name"], ("passed", ""))
        if case["result"] != outcome and outcome != "either":
            lines.append(f"{case['name']}: {case['result']}, expected {outcome}. {case['why']}")
    known = {case["name"] for case in results}
    lines += [f"{name}: listed, but there is no such case" for name in expected if name not in known]
    return lines


def document(onnx_version, total, expected):
    """The coverage page: totals, then what does not pass, by reason. What is a matter of chance counts as failed."""
    reasons, counts = collections.defaultdict(list), collections.Counter()
    for case, (outcome, reason) in sorted(expected.items()):
        outcome = "unsupported" if outcome == "unsupported" else "failed"
        reasons[outcome, reason].append(case)
        counts[outcome] += 1
    lines = ["# ONNX coverage", "",
             f"The node cases of the ONNX backend test, `onnx=={onnx_version}`, each run through `model-pack onnx-test` with the",
             "tolerance that the case asks for. Written by `tests/onnx/check.py --write-docs`; a test keeps it current.", "",
             "| cases | passed | failed | unsupported |", "|---:|---:|---:|---:|",
             f"| {total} | {total - len(expected)} | {counts['failed']} | {counts['unsupported']} |", ""]
    if reasons:
        lines += ["## What does not pass, and why", ""]
    for (outcome, reason), names in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
        lines += [f"- {reason} ({outcome}, {len(names)}):", "  " + ", ".join(f"`{n}`" for n in names)]
    lines += ["", "The list of operators with their types and kernels comes from `model-pack ops`."]
    return "\n".join(lines) + "\n"


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    flags = {a for a in sys.argv[1:] if a.startswith("--")}
    if len(arguments) != 1 or flags - {"--optimize", "--write-docs", "--write-expectations"}:
        sys.exit(__doc__)
    use_venv("onnx", "numpy")
    cases = pathlib.Path(arguments[0])
    subprocess.run([sys.executable, str(HERE / "generate.py"), str(cases)], check=True)
    generated = json.loads((cases / "generated.json").read_text())

    result = run(cases, "--optimize" in flags)
    totals = f"{result['passed_count']} passed, {result['failed_count']} failed, {result['unsupported_count']} unsupported"
    if "--write-expectations" in flags:
        # A start for a person who then writes the reasons.
        known = read_expectations() if EXPECTATIONS.exists() else {}
        with EXPECTATIONS.open("a") as file:
            for case in result["cases"]:
                if case["result"] != "passed" and case["name"] not in known:
                    file.write(f"{case['result']} {case['name']}: {case['why']}\n")
        return

    expected = read_expectations()
    wrong = compare(result["cases"], expected)
    if len(result["cases"]) != generated["cases"]:
        wrong.append(f"{len(result['cases'])} cases ran, {generated['cases']} were written")
    page = document(generated["onnx"], len(result["cases"]), expected)
    if "--write-docs" in flags:
        DOCUMENT.write_text(page)
    elif not wrong and (not DOCUMENT.exists() or DOCUMENT.read_text() != page):
        wrong.append("docs/onnx-coverage.md is out of date: run check.py with --write-docs")
    for line in wrong:
        print(line)
    print(f"{totals} of {generated['cases']} cases of onnx {generated['onnx']}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
