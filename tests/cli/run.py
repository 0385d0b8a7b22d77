#!/usr/bin/env python3
"""Runs the transcripts beside this file.

    run.py MODEL_PACK [NAME...]

A transcript is a text file of commands ("$ ...", run by sh in an empty folder of their own) and what they print,
stdout and stderr together, empty lines left out. "? N" gives the exit code when it is not 0. In the expected text "..." stands for any
text within a line, and a line that is only "..." for any number of lines. Every folder holds model.onnx (input
bytes: int32(batch, 512), output scores: float32(batch, 21)) and the commands see `model-pack`, `py` (this Python) and
$HERE (this folder).
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "..", "..", "tools", "fallback_model", "filetypes.onnx")
TIMEOUT_S = 120


def parse(path):
    """[(line number, command, expected text, exit code)]"""
    steps = []
    for number, line in enumerate(open(path, encoding="utf-8").read().splitlines(), 1):
        if line.startswith("$ "):
            steps.append([number, line[2:], [], 0])
        elif line.startswith("> ") and steps and not steps[-1][2]:
            steps[-1][1] += "\n" + line[2:]
        elif line.startswith("? ") and steps:
            steps[-1][3] = int(line[2:])
        elif line.strip() and not line.startswith("#"):
            steps[-1][2].append(line)
    return steps


def pattern(lines):
    text = "".join("(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n" for line in lines)
    return re.compile(text)


def run(path, environment):
    failures = 0
    with tempfile.TemporaryDirectory(prefix="cli-") as folder:
        with open(MODEL, "rb") as src, open(os.path.join(folder, "model.onnx"), "wb") as dst:
            dst.write(src.read())
        for number, command, expected, code in parse(path):
            try:
                done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
                output, got = done.stdout.decode("utf-8", "replace"), done.returncode
            except subprocess.TimeoutExpired:
                output, got = "(no end after %d s)\n" % TIMEOUT_S, -1
            output = "".join(line + "\n" for line in output.splitlines() if line.strip())
            if got == code and pattern(expected).fullmatch(output):
                continue
            failures += 1
            print("%s:%d: $ %s\n  exit code %d, expected %d\n--- expected\n%s\n--- got\n%s"
                  % (os.path.basename(path), number, command, got, code, "\n".join(expected), output))
    return failures


def main():
    tool, names = os.path.abspath(sys.argv[1]), sys.argv[2:]
    transcripts = [n for n in sorted(os.listdir(HERE)) if n.endswith(".txt") and (not names or n[:-4] in names)]
    failures = 0
    with tempfile.TemporaryDirectory(prefix="cli-bin-") as bin_folder:
        os.symlink(tool, os.path.join(bin_folder, "model-pack"))
        os.symlink(sys.executable, os.path.join(bin_folder, "py"))
        environment = dict(os.environ, PATH=bin_folder + ":" + os.environ["PATH"], LC_ALL="C.UTF-8", HERE=HERE)
        for name in transcripts:
            failed = run(os.path.join(HERE, name), environment)
            print("%-24s %s" % (name, "%d failed" % failed if failed else "ok"))
            failures += failed
    return 1 if failures or not transcripts else 0


if __name__ == "__main__":
    sys.exit(main())
