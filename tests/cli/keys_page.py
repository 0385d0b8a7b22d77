"""keys_page.py DOCUMENT: runs the sh blocks of docs/keys.md.

Each section ("## ...") has a folder of its own with net.onnx and kms_helper in it; the blocks of the section about the
signing key run first in every one. A line that begins with "! " must fail with the exit code for keys, 5.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

FIRST = "The vendor's signing key"
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
KMS_HELPER = os.path.join(os.path.dirname(os.path.realpath(shutil.which("model-pack"))), "kms_helper")


def sections(text):
    """[(title, script)] of those with sh blocks."""
    parts = re.split(r"^## (.*)\n", text, flags=re.M)
    found = [(title, "".join(re.findall(r"^```sh\n(.*?)^```", body, re.M | re.S)))
             for title, body in zip(parts[1::2], parts[2::2])]
    return [(title, script) for title, script in found if script]


def missing(script):
    if "softhsm2-util" in script and not (shutil.which("softhsm2-util") and shutil.which("pkcs11-tool") and
                                          os.path.exists(SOFTHSM)):
        return "softhsm2 and opensc"
    if "kms_helper" in script and not os.path.exists(KMS_HELPER):
        return "the example kms_helper"
    return None


def run(script, model):
    with tempfile.TemporaryDirectory(prefix="keys-page-") as folder:
        shutil.copy(model, os.path.join(folder, "net.onnx"))
        if os.path.exists(KMS_HELPER):
            os.symlink(KMS_HELPER, os.path.join(folder, "kms_helper"))
        os.mkdir(os.path.join(folder, "tokens"))
        conf = os.path.join(folder, "softhsm2.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write("directories.tokendir = %s/tokens\nobjectstore.backend = file\n" % folder)
        return subprocess.run(["sh", "-ec", script], cwd=folder, env=dict(os.environ, SOFTHSM2_CONF=conf),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)


def main():
    found = sections(open(sys.argv[1], encoding="utf-8").read())
    first = dict(found)[FIRST]
    commands = 0
    for title, script in found:
        if title == FIRST:
            continue
        if missing(script):
            print("skipped '%s': needs %s" % (title, missing(script)))
            continue
        commands += len(re.findall(r"^(?:! )?(?:model-pack|softhsm2-util|pkcs11-tool) ", first + script, re.M))
        script = re.sub(r"^! (.*)$", r"code=0; \1 || code=$?; test $code = 5", script, flags=re.M)
        done = run(first + script, os.path.abspath("model.onnx"))
        if done.returncode != 0:
            print("'%s': exit code %d of:\n%s\n%s" % (title, done.returncode, script, done.stdout))
            return 1
    print("%d sections, %d commands ok" % (len(found) - 1, commands))
    return 0


if __name__ == "__main__":
    sys.exit(main())
