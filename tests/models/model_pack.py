"""Drives the model-pack program from Python tests and benchmarks: throwaway keys, sealing, running, .npy files.

Only the standard library, so that it works on a machine with nothing but Debian's python3. What needs NumPy or
ONNX Runtime asks for the tests' virtual environment through `use_venv`.
"""

import array
import ast
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77  # what ctest takes as skipped (SKIP_RETURN_CODE)


def skip(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(SKIPPED)


def shared_dir():
    """Material that is kept beside the project, never in it."""
    path = pathlib.Path(os.environ.get("COFFER_SHARED_DIR", ROOT / ".." / "shared"))
    return path.resolve() if (path / "models").is_dir() else skip(f"no shared material in {path}")


def use_venv(*modules):
    """Goes on in the virtual environment of the tests if `modules` are not importable here."""
    if all(_importable(m) for m in modules):
        return
    python = pathlib.Path(os.environ.get("COFFER_PEER_PYTHON", ROOT / "build" / "venv" / "bin" / "python"))
    if os.environ.get("COFFER_IN_VENV") or not python.exists():
        skip(f"needs a Python with {', '.join(modules)}: {python} (`./dev python` makes it)")
    os.environ["COFFER_IN_VENV"] = "1"
    sys.stdout.flush()
    os.execv(python, [str(python), *sys.argv])


def _importable(module):
    try:
        __import__(module)
        return True
    except ImportError:
        return False


def program():
    path = os.environ.get("COFFER_MODEL_PACK", str(ROOT / "build" / "release" / "bin" / "model-pack"))
    return path if os.access(path, os.X_OK) else sys.exit(f"no model-pack at {path}: build it, or set COFFER_MODEL_PACK")


class Failed(Exception):
    """model-pack ended with an error: its exit code and what it said."""

    def __init__(self, verb, code, text):
        super().__init__(f"model-pack {verb}: exit code {code}: {text.strip()}")
        self.code = code


class ModelPack:
    """The program under test with a fresh encryption key and a fresh signing key, all in a temporary folder."""

    def __init__(self):
        self._tmp = tempfile.TemporaryDirectory(prefix="coffer-test-")
        self.dir = pathlib.Path(self._tmp.name)
        self.identity, self.signing = self.dir / "identity.txt", self.dir / "signing.pem"
        self.recipient, self.trusted = self.dir / "recipient.txt", self.dir / "trusted.pem"
        for private, public, flags in ((self.identity, self.recipient, []), (self.signing, self.trusted, ["--signing"])):
            self.call("key", "new", "--output", private, *flags)
            public.write_text(self.call("key", "pub", private))
        forced, arch = os.environ.get("COFFER_FORCE_ARCH"), json.loads(self.call("version", "--json"))["arch"]
        if forced and arch != forced:
            sys.exit(f"COFFER_FORCE_ARCH is {forced}, but {arch} runs")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._tmp.cleanup()

    def call(self, *arguments, timeout=600):
        command = [program(), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise Failed(arguments[0], done.returncode, done.stderr or done.stdout)
        return done.stdout

    def access(self):
        return ["--key", self.identity, "--trust", self.trusted]

    def pack(self, onnx, name, precision="fp32", *more):
        """Seals a model, encrypted and signed; the path of the new file."""
        out = self.dir / f"{name}.{precision}.coffer"
        self.call("pack", onnx, "-o", out, "--name", f"test.{name}", "--model-version", 1, "--precision", precision,
                  "--encrypt-to", self.recipient, "--sign", self.signing, "--json", *more)
        return out

    def run(self, file, inputs, threads=1):
        """One inference; `inputs` maps names to .npy files, and so does the result."""
        with_inputs = [a for name, path in inputs.items() for a in ("--input", f"{name}=@{path}")]
        outputs = tempfile.mkdtemp(dir=self.dir)
        text = self.call("run", file, *self.access(), *with_inputs, "--threads", threads, "--output-dir", outputs,
                         "--json")
        return {o["name"]: pathlib.Path(o["output"]) for o in json.loads(text)["outputs"]}

    def bench(self, file, inputs, threads, repeat=0):
        with_inputs = [a for name, path in inputs.items() for a in ("--input", f"{name}=@{path}")]
        return json.loads(self.call("bench", file, *self.access(), *with_inputs, "--threads", threads, "--repeat",
                                    repeat, "--json"))


class Array:
    """What a .npy file holds: a type such as '<f4', a shape, and the elements in C order."""

    def __init__(self, dtype, shape, values):
        self.dtype, self.shape, self.values = dtype, shape, values

    def argmax(self):
        return max(range(len(self.values)), key=self.values.__getitem__)


_CODES = {"f4": "f", "f8": "d", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q",
          "b1": "?"}


def read_npy(path):
    data = pathlib.Path(path).read_bytes()
    if data[:6] != b"\x93NUMPY":
        raise ValueError(f"{path}: not a .npy file")
    start, length = (10, struct.unpack_from("<H", data, 8)[0]) if data[6] == 1 else (12, struct.unpack_from("<I", data, 8)[0])
    header = ast.literal_eval(data[start:start + length].decode("latin-1"))
    if header["fortran_order"]:
        raise ValueError(f"{path}: Fortran order")
    code = _CODES[header["descr"].lstrip("<|=")]
    body = data[start + length:]
    values = list(struct.unpack(f"<{len(body)}?", body)) if code == "?" else array.array(code, body)
    if len(values) != math.prod(header["shape"]):
        raise ValueError(f"{path}: {len(values)} elements for shape {header['shape']}")
    return Array(header["descr"], tuple(header["shape"]), values)


def difference(got, want):
    """The largest absolute error over the range of `want`; infinite when type, shape or a NaN does not agree."""
    if (got.dtype, got.shape) != (want.dtype, want.shape):
        return math.inf
    if not want.values:
        return 0.0
    worst, low, high = 0.0, math.inf, -math.inf
    for a, b in zip(got.values, want.values):
        if a != b:
            if math.isnan(a) and math.isnan(b):
                continue
            error = abs(a - b)
            worst = math.inf if math.isnan(error) else max(worst, error)
        if not math.isinf(b):
            low, high = min(low, b), max(high, b)
    # One value, or one value repeated, has no range but its own size.
    span = high - low if high > low else max(abs(high), 1.0) if math.isfinite(high) else 1.0
    return worst / span
