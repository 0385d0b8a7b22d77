"""A real model on its way to the user: imported, shrunk to int8, encrypted, signed, verified, run, attacked.

`./dev demo` runs this after the build. --own-model skips the download.
"""
import argparse
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

import files
import models

ROOT = models.ROOT
WORK = ROOT / "build" / "demo"


class Failed(Exception):
    pass


def heading(text):
    print(f"\n== {text}", flush=True)


def relative(command):
    """Words as one would type them at the top of the tree."""
    return [os.path.relpath(w, ROOT) if str(w).startswith(f"{ROOT}/") else str(w) for w in command]


def run(*command, quiet=False, expect=(0,)):
    """Runs a command at the top of the tree, showing it."""
    words = relative(command)
    if not quiet:
        print("$ " + " ".join(words), flush=True)
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode not in expect:
        raise Failed(f"{' '.join(words[:2])}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result


def write_npy(path, values):
    """A (1, n) array of int32 in NumPy's file format, version 1.0."""
    header = f"{{'descr': '<i4', 'fortran_order': False, 'shape': (1, {len(values)}), }}"
    header = header.ljust(117) + "\n"
    path.write_bytes(
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}i", *values)
    )


def make_keys(pack):
    heading("Keys: one for the device that may read the model, one for the vendor who signs it")
    for name, options in (("device", []), ("vendor", ["--signing"]), ("stranger", []), ("impostor", ["--signing"])):
        key, public = WORK / f"{name}.key", WORK / f"{name}.{'pem' if options else 'pub'}"
        run(pack, "key", "new", *options, "--output", key, quiet=name in ("stranger", "impostor"))
        public.write_text(run(pack, "key", "pub", key, quiet=True).stdout)


class Samples:
    """Real files of this machine: every other one to calibrate with, the rest to see how it went."""

    def __init__(self, classifier, calibrate, look):
        pool = [(p, v) for p in files.of_this_machine(ROOT, 4 * max(calibrate, look), seed=1)
                if (v := classifier.features(p)) is not None]  # fmt: skip
        self.calibration = self.folder("calibration", pool[::2][:calibrate])
        self.others = [path for path, _ in pool[1::2][:look]]
        self.comparison = self.folder("comparison", pool[1::2][:64])

    @staticmethod
    def folder(name, samples):
        folder = WORK / name
        folder.mkdir()
        for i, (_, values) in enumerate(samples):
            write_npy(folder / f"{i:03}.npy", values)
        return folder


def seal(pack, classifier, samples):
    """Packs the model twice; {precision: file}."""
    heading(f"Pack: {classifier.title} as float32 and as int8, encrypted to the device, signed by the vendor")
    labels = WORK / "labels.tsv"
    labels.write_text(classifier.labels_tsv())
    meta = [word for k, v in classifier.metadata().items() for word in ("--meta", f"{k}={v}")]
    print(f"{len(list(samples.calibration.iterdir()))} real files of this machine become calibration samples")
    sealed = {}
    for precision in ("fp32", "int8"):
        out = WORK / f"filetype.{precision}.coffer"
        options = ["--data", samples.calibration] if precision == "int8" else []
        begin = time.monotonic()
        result = run(pack, "pack", classifier.onnx, "-o", out, "--name", "com.example.filetype", "--model-version", "1",
                     "--precision", precision, *options, "--attach", labels, *meta,
                     "--encrypt-to", WORK / "device.pub", "--sign", WORK / "vendor.key")  # fmt: skip
        print(result.stdout.strip() + f"  ({time.monotonic() - begin:.1f} s)")
        sealed[precision] = out
    return sealed


def verify(pack, sealed):
    heading("Verify: signature, every hash, and with the key every chunk")
    for path in sealed.values():
        result = run(pack, "verify", path, "--trust", WORK / "vendor.pem", "--key", WORK / "device.key")
        print(result.stdout.strip())


def classify(program, sealed, paths):
    """{path: (type, score)} as examples/filetype says, which answers in the order it was asked."""
    result = run(program, sealed, WORK / "device.key", WORK / "vendor.pem", *paths, quiet=True)
    lines = [line.rsplit("\t", 3) for line in result.stdout.splitlines()]
    return {path: (kind, float(score)) for path, (_, kind, score, _) in zip(paths, lines, strict=True)}


def run_on_files(program, sealed, others):
    heading("Run: what is each of these files?")
    gallery = files.gallery(WORK / "files", ROOT, program)
    paths = [path for _, path in gallery]
    print("$ " + " ".join(relative([program, sealed["int8"], WORK / "device.key", WORK / "vendor.pem", "FILE..."])))
    answers = {precision: classify(program, path, paths) for precision, path in sealed.items()}
    print(f"\n  {'a file that is':18} {'file':22} {'fp32 says':20} {'int8 says':20}")
    for what, path in gallery:
        cells = [f"{kind} ({100 * score:.1f} %)" for kind, score in (a[path] for a in answers.values())]
        print(f"  {what:18} {path.name:22} {cells[0]:20} {cells[1]:20}")

    wide = {precision: classify(program, path, others) for precision, path in sealed.items()}
    same = sum(wide["fp32"][p][0] == wide["int8"][p][0] for p in others)
    print(f"\n  On {len(others)} other files of this machine the two agree in {100 * same / len(others):.1f} %.")


def compare(pack, classifier, sealed, samples):
    heading("Compare: the original beside both sealed files, on other files than those it was calibrated with")
    result = run(pack, "compare", classifier.onnx, *sealed.values(), "--data", samples.comparison, "--threads", "1",
                 "--key", WORK / "device.key", "--trust", WORK / "vendor.pem", "--report", WORK / "compare.html")  # fmt: skip
    print(result.stdout.rstrip())


def attack(pack, sealed):
    heading("Attack: none of these may open")
    victim, damaged = sealed["int8"], WORK / "damaged.coffer"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 0x01
    damaged.write_bytes(data)
    attempts = [
        ("one bit flipped", damaged, "device.key", "vendor.pem"),
        ("a stranger's key", victim, "stranger.key", "vendor.pem"),
        ("an untrusted signer", victim, "device.key", "impostor.pem"),
    ]
    for what, path, key, trusted in attempts:
        result = run(pack, "verify", path, "--key", WORK / key, "--trust", WORK / trusted, quiet=True, expect=(4, 5))
        print(f"  {what:20} refused, exit {result.returncode}: {result.stderr.strip().splitlines()[0]}")


def main():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__.split("\n")[0])
    parser.add_argument("--own-model", action="store_true", help="use the project's own classifier; needs no network")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin", help="folder of the programs")
    options = parser.parse_args()
    pack, program = options.bin.resolve() / "model-pack", options.bin.resolve() / "filetype"
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)

    classifier = None if options.own_model else models.magika(WORK)
    if classifier is None:
        if not options.own_model:
            print("No network, so magika's model cannot be had: the same steps with the project's own classifier.")
        classifier = models.own()
    try:
        make_keys(pack)
        samples = Samples(classifier, 96, 200)
        sealed = seal(pack, classifier, samples)
        verify(pack, sealed)
        run_on_files(program, sealed, samples.others)
        compare(pack, classifier, sealed, samples)
        attack(pack, sealed)
    except Failed as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"\nEverything lies in {os.path.relpath(WORK, ROOT)}. Next: README.md, docs/embedding.md, model-pack --help.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
