"""doc_commands.py DOCUMENT: runs every command of its sh blocks, in order, with the keys such a document speaks of.

The documents' net.onnx is model.onnx of the transcripts, and their input x is its input.
"""

import re
import shutil
import subprocess
import sys

text = open(sys.argv[1], encoding="utf-8").read()
blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
shutil.copy("model.onnx", "net.onnx")
setup = """
py "$HERE/npy.py" x.npy '<i4' 1 512
for k in device mine customer old new; do model-pack key new --output $k.key; model-pack key pub $k.key > $k.pub; done
cat mine.pub customer.pub > everyone.pub
for k in vendor first second third hsm; do model-pack key new --signing --output $k.key; model-pack key pub $k.key > $k.pem; done
cat device.pub mine.pub old.pub > all.pub
model-pack pack net.onnx -o net.coffer --name com.example.net --model-version 1 --encrypt-to all.pub --sign vendor.key
"""
commands = 0
for script in [setup, *blocks]:
    script = script.replace("--input x=@", "--input bytes=@")
    # Packing for the device alone would shut out `mine`, with whom the page goes on.
    script = script.replace("--encrypt-to device.pub", "--encrypt-to all.pub")
    done = subprocess.run(["sh", "-ec", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        print("exit code %d of:\n%s\n%s" % (done.returncode, script, done.stdout))
        sys.exit(1)
    commands += len(re.findall(r"^(?:model-pack|openssl)", script, re.M))
print("%d commands ok" % commands)
