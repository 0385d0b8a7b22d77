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

import bundle  # noqa: E402
import generate  # noqa: E402
import generate_trust  # noqa: E402
import keyfile  # noqa: E402
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
                check(len(model.manifest["graphs"][0]["nodes"]) == shown["node_count"], "number of nodes")
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


def public_of(file):
    """The key in a file of model-pack, and that reader and file agree on it."""
    return bytes.fromhex(keyfile.read("public-key", file.read_bytes(), b"")[0].split()[1])


def keys_of_model_pack(tool):
    """Key files that model-pack writes are read here, and the other way round."""
    key, public = tool.dir / "p256.key", tool.dir / "p256.pem"
    tool.call("key", "new", "--p256", "--output", key)
    public.write_text(tool.call("key", "pub", key))
    for private, recipient in ((key, public), (tool.identity, tool.recipient)):
        check(keyfile.read("keys", private.read_bytes(), b"") == keyfile.read("recipients", recipient.read_bytes(), b""), f"key pub {private.name}")
    check(keyfile.read("signing-key", tool.signing.read_bytes(), b"") == keyfile.read("public-key", tool.trusted.read_bytes(), b""), "key pub, signing")
    file = tool.pack(MODEL, "filetypes", "fp32", "--encrypt-to", public)
    keys = Keys()
    keyfile.add(keys, key.read_bytes())
    open_file(file.read_bytes(), Policy(trusted=[Key(public_of(tool.trusted))]), keys)
    algorithm = generate_trust.sequence(generate_trust.EC_OID, generate_trust.P256_OID)
    own = tool.dir / "own.key"
    own.write_bytes(generate_trust.pem("PRIVATE KEY", generate_trust.pkcs8(algorithm, generate_trust.ec_private(
        generate_trust.P256, generate_trust.P256_PUBLIC))))
    own.chmod(0o600)
    check(keyfile.read("recipients", tool.call("key", "pub", own).encode(), b"") == [f"p256 {generate_trust.P256_PUBLIC.hex()}"], "key pub of a key written here")
    print("3 keys of model-pack read")


def bundles_of_model_pack(tool):
    """A chain of bundles and a state: made by model-pack and followed here, made here and followed by model-pack."""
    roots = [tool.dir / f"root{i}" for i in range(2)]
    for root in roots:
        tool.call("key", "new", "--signing", "--output", root)
        root.with_suffix(".pem").write_text(tool.call("key", "pub", root))
    first, second, state = (tool.dir / name for name in ("1.trust", "2.trust", "seen"))
    sign = [word for root in roots for word in ("--sign", root)]
    tool.call("trust", "new", *[word for root in roots for word in ("--root", root.with_suffix(".pem"))], "--threshold", "root=2",
              "--publisher", tool.trusted, "-o", first)
    tool.call("trust", "sign", first, *sign)
    tool.call("trust", "new", "--from", first, "--min-version", "test.filetypes=1", "-o", second)
    tool.call("trust", "sign", second, *sign)
    anchor = bundle.load(first.read_bytes())
    newest = bundle.update(anchor, first.read_bytes() + second.read_bytes())
    check((anchor.number, newest.number) == (1, 2), "numbers of bundles")
    check(anchor.keys[bundle.PUBLISHER] == [Key(public_of(tool.trusted))], "publisher of a bundle")

    file = tool.pack(MODEL, "filetypes", "fp32")
    tool.call("trust", "init", "--bundle", first, "--trust-store", state)
    tool.call("trust", "update", second, "--trust-store", state)
    tool.call("verify", file, "--key", tool.identity, "--trust-store", state)
    data = next(path.read_bytes() for path in sorted(state.rglob("*")) if path.is_file() and path.read_bytes()[:4] == b"COST")
    check(bundle.State.decode(data).encode() == data, "a state of model-pack")
    policy, keys = Policy(store=bundle.Store(data)), Keys()
    bundle.follow(policy, newest)
    keyfile.add(keys, tool.identity.read_bytes())
    open_file(file.read_bytes(), policy, keys)
    content = verify(file.read_bytes(), policy)["content_id"]
    check([record[2] for record in bundle.State.decode(policy.store.data).records] == [content], "the record of a file")
    check(bundle.State.decode(data).number == 2, "the bundle in a state")

    own = tool.dir / "own.trust"
    rules = generate_trust.draft(keys=[*generate_trust.keys_of(), bundle.key(bundle.PUBLISHER, public_of(tool.trusted))], distributors=0, licensors=0)
    own.write_bytes(rules.write())
    tool.call("verify", file, "--bundle", own)
    own.write_bytes(generate_trust.flip(70)(rules.write()))
    try:
        tool.call("verify", file, "--bundle", own)
        check(False, "a damaged bundle was followed")
    except Failed as failed:
        check(failed.code not in (0, 139), f"exit code {failed.code}")
    print("3 bundles and a state followed")


def main(folder):
    vectors(folder)
    with ModelPack() as tool:
        keys_of_model_pack(tool)
    with ModelPack() as tool:
        bundles_of_model_pack(tool)
    with ModelPack() as tool:
        files_of_model_pack(tool)
    with ModelPack() as tool:
        files_of_the_writer(tool)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
