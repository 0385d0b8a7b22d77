#!/usr/bin/env python3
"""The independent reader and writer against the library: vectors, files of model-pack, and files that model-pack opens.

    reader_test.py TESTKIT_DIR

Needs `cryptography`, in build/venv when it is not installed here; COFFER_MODEL_PACK names the program.
"""
import base64
import json
import os
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
from model_pack import Failed, ModelPack, ROOT, read_npy, use_venv  # noqa: E402

use_venv("cryptography")

import generate  # noqa: E402
from reader import (Key, Keys, Policy, Refused, identity_from_text, identity_text, open_file, run_vector, verify,  # noqa: E402
                    x25519_public)
from writer import to_kek, to_x25519  # noqa: E402

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: E402

MODEL = ROOT / "tools" / "fallback_model" / "filetypes.onnx"
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print(f"FAILED: {what}")


def vectors(folder):
    """The archive is what the generator makes, what was unpacked is the archive, and this reader agrees with all of it."""
    packed = generate.unpack()
    check(generate.generate() == packed, "testkit.tar.xz is not what generate.py makes; generate.py --archive")
    check(generate.INDEX.read_text() == generate.index(packed), "index.txt does not fit testkit.tar.xz")
    unpacked = {path.stem: path.read_bytes() for path in pathlib.Path(folder).glob("*.vector")}
    check(unpacked == packed, f"{folder} is not testkit.tar.xz")
    frozen = {path.stem: path.read_bytes() for path in (HERE / "frozen").glob("*.vector")}
    for name, vector in [*packed.items(), *frozen.items()]:
        wrong = run_vector(vector)
        check(not wrong, f"{name}: {wrong}")
    print(f"{len(packed)} vectors and {len(frozen)} frozen files")


def files_of_model_pack(tool):
    """What model-pack writes opens here, with each kind of key, and both see the same plaintexts."""
    kek = tool.dir / "kek"
    kek.write_bytes(os.urandom(32))
    kek.chmod(0o600)
    identity = next(line for line in tool.identity.read_text().splitlines() if line.startswith("AGE-"))
    public = base64.b64decode("".join(tool.trusted.read_text().splitlines()[1:-1]))[-32:]
    policy = Policy(trusted=[Key(public)], name="test.filetypes", min_version=1)
    count = 0
    for suite in ("aes-256-gcm", "chacha20-poly1305"):
        for more in ([], ["--pad", "--attach", kek, "--meta", "a=b", "--expires", "90d"]):
            file = tool.pack(MODEL, "filetypes", "fp32", "--suite", suite, "--encrypt-to", f"raw:{kek}", *more)
            data = file.read_bytes()
            shown = json.loads(tool.call("inspect", file, *tool.access(), "--json"))
            verify(data, policy)
            for keys in (Keys(identities=[identity_from_text(identity)]), Keys(keks=[kek.read_bytes()])):
                model = open_file(data, policy, keys)
                check(model.digests() == (shown["manifest_sha256"], shown["payload_sha256"]), f"digests of {suite} {more}")
                check(len(model.manifest["graphs"][0]["nodes"]) == shown["nodes"], "number of nodes")
                count += 1
            for at in (520, 4096, len(data) - 40):
                damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
                try:
                    open_file(damaged, policy, Keys(keks=[kek.read_bytes()]))
                    check(False, f"byte {at} of {suite} changed, and it opened")
                except Refused:
                    pass
    clear = tool.dir / "clear.coffer"
    tool.call("pack", MODEL, "-o", clear, "--unprotected")
    open_file(clear.read_bytes(), Policy(allow_unsigned=True, allow_unprotected=True), Keys())
    print(f"{count + 1} files of model-pack opened")


def files_of_the_writer(tool):
    """What writer.py writes verifies, opens and runs in model-pack; one changed bit and it does not."""
    secret = os.urandom(32)
    tool.identity.write_text(identity_text(secret) + "\n")
    kek = tool.dir / "kek2"
    kek.write_bytes(os.urandom(32))
    kek.chmod(0o600)
    tool.trusted.write_bytes(Ed25519PublicKey.from_public_bytes(generate.VENDOR.public).public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    x = tool.dir / "x.npy"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }".ljust(117) + b"\n"
    x.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + struct.pack("<3f", 1, 2, 3))
    for suite in (1, 2):
        for hide in (False, True):
            container = generate.base(suite=suite, hide_size=hide, dek=None, salt=None, seed=os.urandom(16).hex(),
                                      recipients=[to_kek(kek.read_bytes()), to_x25519(x25519_public(secret))])
            file = tool.dir / f"own{suite}{hide}.coffer"
            file.write_bytes(container.write())
            tool.call("verify", file, "--trust", tool.trusted, "--name", generate.NAME, "--min-version", 3)
            tool.call("verify", file, "--trust", tool.trusted, "--key", f"raw:{kek}")
            y = read_npy(tool.run(file, {"x": x})["y"])
            check(list(y.values) == [2.5, 2.0, 3.0], f"result of a file written here: {list(y.values)}")
            data = bytearray(file.read_bytes())
            data[-200] ^= 1
            file.write_bytes(data)
            try:
                tool.call("verify", file, *tool.access())
                check(False, "a damaged file verified")
            except Failed as failed:
                check(failed.code not in (0, 139), f"exit code {failed.code}")
    print("4 files of the writer verified and run")


def main(folder):
    vectors(folder)
    with ModelPack() as tool:
        files_of_model_pack(tool)
    with ModelPack() as tool:
        files_of_the_writer(tool)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
