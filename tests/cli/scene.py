"""Files for the tests that walk all verbs: keys, models, a licence, a bundle, a trust store. In the current folder."""

import json
import subprocess
import sys

SETUP = r"""
for k in me other; do model-pack key new -o $k.key; model-pack key pub $k.key > $k.pub; done
for k in vendor stranger licensor root; do model-pack key new --signing -o $k.key; model-pack key pub $k.key > $k.pub; done
head -c 32 /dev/urandom > product.key; chmod 600 product.key; cp me.key open.key; chmod 644 open.key
pack() { model-pack pack model.onnx --name com.acme.net "$@"; }
pack -o m.coffer --model-version 3 --encrypt-to me.pub --sign vendor.key --meta labels=a,b --attach me.pub
pack -o unsigned.coffer --model-version 3 --encrypt-to me.pub --sign-later
pack -o licensed.coffer --model-version 3 --encrypt-to raw:product.key --sign vendor.key --require-licence
pack -o clear.coffer --unprotected
pack -o late.coffer --model-version 4 --encrypt-to me.pub --sign vendor.key
SOURCE_DATE_EPOCH=1000000000 pack -o expired.coffer --model-version 3 --encrypt-to me.pub --sign vendor.key --expires 1d
model-pack licence issue -o l.licence --product-key raw:product.key --to me.pub --sign licensor.key --product P \
    --model com.acme.net --expires 9d --host machine-id=1
model-pack grant m.coffer --key me.key --trust vendor.pub --to other.pub -o other.grant
model-pack trust new --root root.pub --publisher vendor.pub --licensor licensor.pub --expires 9d -o 1.trust
cp 1.trust unsigned.trust; model-pack trust sign 1.trust --sign root.key
model-pack trust new --from 1.trust --revoke-file m.coffer --min-version com.acme.net=3 -o 2.trust
model-pack trust sign 2.trust --sign root.key; cp 2.trust next.trust
model-pack trust init --bundle 1.trust --trust-store seen
model-pack verify late.coffer --key me.key --trust-store seen
for a in x 'y "<i4" 1 511' 'z "<f4" 1 512'; do eval "set -- $a"; py "$HERE/npy.py" $1.npy "${2:-<i4}" ${3:-1} ${4:-512}; done
py "$HERE/onnx.py" unknown.onnx NoSuchOp; py "$HERE/onnx.py" ints.onnx Abs 6
mkdir samples cases cases/one cases/one/test_data_set_0; cp x.npy samples; cp unknown.onnx cases/one/model.onnx
head -c 20000 m.coffer > cut.coffer; (cat m.coffer; printf 1) > long.coffer; head -c 9000 /dev/urandom > noise
py -c 'b = bytearray(open("m.coffer", "rb").read()); b[int.from_bytes(b[24:32], "little") - 9] ^= 4; open("bad.coffer", "wb").write(b)'
py -c 'b = bytearray(open("m.coffer", "rb").read()); b[4096] ^= 4; open("graph.coffer", "wb").write(b)'
"""


def make():
    done = subprocess.run(["sh", "-ec", SETUP], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit("setup: exit code %d\n%s" % (done.returncode, done.stdout))


def help_of(*verb):
    return subprocess.run(["model-pack", *verb, "--help"], stdout=subprocess.PIPE, check=True, text=True).stdout


def verbs():
    """Every verb that can be run: "pack", "licence issue", ..."""

    def below(text):
        listing = text.split("Subcommands:\n", 1)[1] if "Subcommands:\n" in text else ""
        return [line.split()[0] for line in listing.split("\n\n")[0].splitlines() if line[2:3].strip()]

    return [" ".join((verb, v)).strip() for verb in below(help_of()) for v in below(help_of(verb)) or [""]]


def run_json(command):
    """The exit code and the document of a command, given as for a shell."""
    done = subprocess.run(["sh", "-c", "model-pack " + command + " --json"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError as error:
        sys.exit("model-pack %s: stdout is no JSON (%s): %r; %s" % (command, error, done.stdout[:200], done.stderr))
