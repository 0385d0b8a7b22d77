#!/usr/bin/env python3
"""OpenSSF Model Signing bundles of model-pack.

    oms_test.py vectors MODEL_PACK             published bundles verify or fail as labelled; own ones in both directions
    oms_test.py reference MODEL_PACK FOLDER    the reference implementation (PyPI model-signing) accepts our bundles, and
                                               we accept its; installed once into FOLDER

Exit code 77: skipped, with the reason.
"""

import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent.parent.parent / "shared" / "vectors" / "oms"
# Exit codes of model-pack.
OK, USAGE, DAMAGED, AUTH, UNSUPPORTED = 0, 2, 4, 5, 7

failures = 0


def check(what, got, expected, output=""):
    global failures
    if got != expected:
        failures += 1
        print("%s: %s, expected %s\n%s" % (what, got, expected, output))


def run(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, timeout=300)
    return done.returncode, done.stdout


def make_key(folder, curve="P-256"):
    key, pub = folder / (curve + ".pem"), folder / (curve + ".pub")
    for command in (["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve, "-out", key],
                    ["pkey", "-in", key, "-pubout", "-out", pub]):
        code, output = run("openssl", *command)
        assert code == 0, output
    key.chmod(0o600)
    return key, pub


def published(tool, folder):
    """The bundles that others published, by the name of the folder they lie in."""
    pub = VECTORS / "keys" / "signing-key-pub.pem"

    def verify(what, path, bundle, key, expected):
        code, output = run(tool, "verify", path, "--oms", bundle, "--oms-key", key)
        check("%s: verify" % what, code, expected, output)

    ec = VECTORS / "v1.1.0-elliptic-key"
    verify("elliptic key", ec, ec / "model.sig", pub, OK)
    verify("certificate", VECTORS / "v1.1.0-certificate", VECTORS / "v1.1.0-certificate" / "model.sig", pub, UNSUPPORTED)
    _, other = make_key(folder, "P-384")
    verify("another key", ec, ec / "model.sig", other, AUTH)

    model = folder / "model"
    model.mkdir()
    for name in ("signme-1", "signme-2"):
        shutil.copy(ec / name, model / name)
    spec = VECTORS / "spec-v1.0"
    expected = {"key.bundle.json": OK, "certificate.bundle.json": UNSUPPORTED, "sigstore.bundle.json": UNSUPPORTED}
    seen = 0
    for bundle in sorted((spec / "valid").iterdir()):
        verify("valid/" + bundle.name, model, bundle, pub, expected[bundle.name])
        seen += 1
    for bundle in sorted((spec / "invalid").iterdir()):
        # A missing transparency log is the certificate flavour's business, which is refused before it.
        verify("invalid/" + bundle.name, model, bundle, pub, UNSUPPORTED if "tlog" in bundle.name else DAMAGED)
        seen += 1
    for bundle in sorted((spec / "invalid-payload").iterdir()):
        verify("invalid-payload/" + bundle.name, model, bundle, pub, AUTH)
        seen += 1
    check("bundles of the specification", seen, 8)

    # The files: changed, missing, one too many, in a place that is ignored.
    bundle = spec / "valid" / "key.bundle.json"
    (model / "ignore-me").write_text("x")
    verify("an ignored file", model, bundle, pub, OK)
    (model / "extra").write_text("x")
    verify("a file too many", model, bundle, pub, AUTH)
    (model / "extra").unlink()
    (model / "signme-1").write_text("changed")
    verify("a changed file", model, bundle, pub, AUTH)
    (model / "signme-1").unlink()
    verify("a missing file", model, bundle, pub, AUTH)
    (model / "signme-1").symlink_to(ec / "signme-1")
    code, output = run(tool, "verify", model, "--oms", bundle, "--oms-key", pub)
    check("a symbolic link is refused", code in (DAMAGED, AUTH, 3), True, output)


def own(tool, folder):
    """Our bundles, and what happens when they or the file are changed."""
    file, bundle = folder / "net.coffer", folder / "net.coffer.sig"
    file.write_bytes(os.urandom(3_000_000))
    for curve in ("P-256", "P-384"):
        key, pub = make_key(folder, curve)
        check("sign", *run_code(tool, "sign", file, "--oms-key", key, "-o", bundle))
        check("verify", *run_code(tool, "verify", file, "--oms", bundle, "--oms-key", pub))
    text = json.loads(bundle.read_text())
    statement = json.loads(base64.b64decode(text["dsseEnvelope"]["payload"]))
    digest = hashlib.sha256(file.read_bytes())
    check("resource", statement["predicate"]["resources"],
          [{"name": ".", "algorithm": "sha256", "digest": digest.hexdigest()}])
    check("subject", statement["subject"],
          [{"name": "net.coffer", "digest": {"sha256": hashlib.sha256(digest.digest()).hexdigest()}}])

    def changed(what, expected, change):
        broken = json.loads(bundle.read_text())
        change(broken)
        path = folder / "broken.sig"
        path.write_text(json.dumps(broken))
        code, output = run(tool, "verify", file, "--oms", path, "--oms-key", pub)
        check(what, code, expected, output)

    def set_payload(b, edit):
        s = json.loads(base64.b64decode(b["dsseEnvelope"]["payload"]))
        edit(s)
        b["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(s).encode()).decode()

    changed("nothing", OK, lambda b: None)
    changed("another media type", DAMAGED, lambda b: b.update(mediaType="text/plain"))
    changed("another payload type", DAMAGED, lambda b: b["dsseEnvelope"].update(payloadType="application/json"))
    changed("no signature", DAMAGED, lambda b: b["dsseEnvelope"].update(signatures=[]))
    changed("two signatures", DAMAGED,
            lambda b: b["dsseEnvelope"].update(signatures=b["dsseEnvelope"]["signatures"] * 2))
    changed("a signature of another type", DAMAGED, lambda b: b["dsseEnvelope"].update(signatures=[7]))
    changed("not base64", DAMAGED, lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="AA=A"))
    changed("base64 with bits left over", DAMAGED, lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="AAB="))
    changed("an empty signature", AUTH, lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=""))
    changed("another hint", AUTH, lambda b: b["verificationMaterial"]["publicKey"].update(hint="00" * 32))
    changed("an edited statement", AUTH, lambda b: set_payload(b, lambda s: s["subject"][0].update(name="other")))
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    changed("a changed file", AUTH, lambda b: None)
    file.write_bytes(data)
    for name, content in (("empty", b""), ("text", b"hello"), ("deep", b"[" * 100000), ("list", b"[]"),
                          ("binary", bytes(range(256)) * 40)):
        path = folder / name
        path.write_bytes(content)
        code, output = run(tool, "verify", file, "--oms", path, "--oms-key", pub)
        check("bundle '%s'" % name, code, DAMAGED, output)
    check("a private key that others may read", *run_code(tool, "sign", file, "--oms-key", pub, "-o", bundle, expect=AUTH))
    check("half of the options", *run_code(tool, "verify", file, "--oms", bundle, expect=USAGE))


def run_code(*command, expect=OK):
    code, output = run(*command)
    return code, expect, output


def reference_python(folder):
    """A Python with the reference implementation, or the reason why there is none."""
    folder = pathlib.Path(folder).resolve()
    requirements = HERE / "requirements.txt"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        code, output = run(sys.executable, "-m", "venv", folder)
        if code == 0:
            code, output = run(folder / "bin" / "pip", "--disable-pip-version-check", "install", "-q",
                               "--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", requirements)
        if code != 0:
            return None, output.strip().splitlines()[-1] if output.strip() else "pip failed"
        stamp.write_text(wanted)
    return folder / "bin" / "python", ""


def reference(tool, python, folder):
    sys.stdout.flush()
    file, ours, theirs = folder / "net.coffer", folder / "ours.sig", folder / "theirs.sig"
    file.write_bytes(os.urandom(200_000))

    def peer(what, expected, *arguments):
        code, output = run(python, "-m", "model_signing", *arguments)
        check("model_signing: " + what, code == 0, expected, output)

    for curve in ("P-256", "P-384"):
        key, pub = make_key(folder, curve)
        _, other = make_key(folder, "P-521")
        check("sign", *run_code(tool, "sign", file, "--oms-key", key, "-o", ours))
        peer("our bundle", True, "verify", "key", file, "--signature", ours, "--public_key", pub)
        peer("another key", False, "verify", "key", file, "--signature", ours, "--public_key", other)
        peer("signs", True, "sign", "key", file, "--signature", theirs, "--private_key", key)
        check("their bundle", *run_code(tool, "verify", file, "--oms", theirs, "--oms-key", pub))
        # A folder, signed by them.
        model = folder / ("model-" + curve)
        (model / "sub").mkdir(parents=True)
        for name in ("a", "sub/b", "sub/c"):
            (model / name).write_bytes(os.urandom(1000))
        peer("signs a folder", True, "sign", "key", model, "--signature", model / "model.sig", "--private_key", key)
        check("their folder", *run_code(tool, "verify", model, "--oms", model / "model.sig", "--oms-key", pub))
        data = file.read_bytes()
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        peer("a changed file", False, "verify", "key", file, "--signature", ours, "--public_key", pub)
        check("a changed file", *run_code(tool, "verify", file, "--oms", theirs, "--oms-key", pub, expect=AUTH))
        file.write_bytes(data)


def main():
    mode, tool = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    if shutil.which("openssl") is None:
        print("skipped: no openssl to make keys with")
        return 77
    with tempfile.TemporaryDirectory(prefix="oms-") as name:
        folder = pathlib.Path(name)
        if mode == "reference":
            python, reason = reference_python(sys.argv[3])
            if python is None:
                print("skipped: model-signing cannot be installed: " + reason)
                return 77
            reference(tool, python, folder)
        else:
            own(tool, folder)
            if VECTORS.is_dir():
                published(tool, folder)
            elif not failures:
                print("skipped: our own bundles are fine, but the published ones are not at %s" % VECTORS)
                return 77
    print("%d failed" % failures if failures else "ok")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
