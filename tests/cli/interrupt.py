"""interrupt.py COMMAND... -o FILE ...: SIGINT after 0, 1, 2, ... ms. FILE stays what it was or becomes the complete
new one, and nothing is left beside it. Without -o, FILE is the first *.coffer, changed in place; then an empty lock
file may be left, which holds nobody up: the next run goes through."""

import os
import signal
import subprocess
import sys
import time

command = sys.argv[1:]
target = command[command.index("-o") + 1] if "-o" in command else next(c for c in command if c.endswith(".coffer"))


def files():
    return sorted(name for name in os.listdir(".") if name != ".%s.lock" % target)


before = files()
killed = 0
for ms in range(60):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(ms / 1000)
    process.send_signal(signal.SIGINT)
    code = process.wait(30)
    killed += code == -signal.SIGINT
    if code not in (0, -signal.SIGINT):
        sys.exit("after %d ms: exit code %d" % (ms, code))
    if files() != before:
        sys.exit("after %d ms: files are %s" % (ms, files()))
    verify = ["model-pack", "verify", target, "--trust", "vendor.pub", "--key", "me.key"]
    if subprocess.run(verify, stdout=subprocess.DEVNULL).returncode != 0:
        sys.exit("after %d ms: the file is damaged" % ms)
print("ok" if killed else "no run was interrupted")
