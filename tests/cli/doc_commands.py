"""doc_commands.py DOCUMENT: runs every command of its sh blocks, in order. Keys are made there.

The documents' net.onnx is model.onnx of the transcripts, and their input x is its input.
"""

import re
import shutil
import subprocess
import sys

text = open(sys.argv[1], encoding="utf-8").read()
blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
shutil.copy("model.onnx", "net.onnx")
commands = 0
for script in ["""py "$HERE/npy.py" x.npy '<i4' 1 512\n""", *blocks]:
    script = script.replace("--input x=@", "--input bytes=@")
    done = subprocess.run(["sh", "-ec", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        print("exit code %d of:\n%s\n%s" % (done.returncode, script, done.stdout))
        sys.exit(1)
    commands += len(re.findall(r"^(?:model-pack|openssl)", script, re.M))
print("%d commands ok" % commands)
