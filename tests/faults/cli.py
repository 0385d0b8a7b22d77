"""cli.py MODEL_PACK SHIM: the command line when the system lets it down.

Kills `pack` (and, where they exist, the verbs that rewrite recipients) in the middle of each write, sync and rename and
right after it; makes each of them fail; fills a small disk; starts two writers at once. Each time the file is the old
one or the new one, whole; only a process that was killed may leave a temporary, and that has the name of one. A log of
what was sealed shows that no key met a nonce twice, in all those runs together.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "..", "..", "tools", "fallback_model", "filetypes.onnx")
TOOL, SHIM = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
TEMPORARY = re.compile(r"\.coffer-[0-9a-f]{32}\.tmp")
KILLED = -9


class Failed(Exception):
    pass


def expect(property, *what):
    if not property:
        raise Failed(" ".join(str(w) for w in what))


def tool(*arguments, fault=None, nonces=None, cwd="."):
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    if fault or nonces:
        environment["LD_PRELOAD"] = SHIM
    if fault:
        environment["COFFER_FAULT"] = fault
    if nonces:
        environment["COFFER_NONCES"] = nonces
    return subprocess.run([TOOL, *arguments], cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)


def must(*arguments, cwd="."):
    done = tool(*arguments, cwd=cwd)
    expect(done.returncode == 0, arguments, done.stdout.decode())
    return done.stdout


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Folder:
    """Keys, and m.coffer as the old file."""

    def __init__(self, path):
        self.path = path
        must("key", "new", "--output", "me.key", cwd=path)
        must("key", "new", "--output", "vendor.pem", "--signing", cwd=path)
        for private, public in (("me.key", "me.txt"), ("vendor.pem", "vendor.pub")):
            with open(os.path.join(path, public), "wb") as file:
                file.write(must("key", "pub", private, cwd=path))
        shutil.copy(MODEL, os.path.join(path, "model.onnx"))
        done = tool(*self.pack(1), cwd=path)
        expect(done.returncode == 0, done.stdout.decode())
        self.old = read(self.file)
        self.names = sorted(os.listdir(path))

    @property
    def file(self):
        return os.path.join(self.path, "m.coffer")

    @staticmethod
    def pack(version, model="model.onnx"):
        return ["pack", model, "-o", "m.coffer", "--name", "com.acme.t", "--model-version", str(version),
                "--encrypt-to", "me.txt", "--sign", "vendor.pem"]

    def restore(self):
        with open(self.file, "wb") as file:
            file.write(self.old)

    def check(self, what, killed=False):
        """The old file, or a whole new one; nothing else but, after a kill, a temporary."""
        left = sorted(set(os.listdir(self.path)) - set(self.names))
        for name in left:
            expect(killed and TEMPORARY.fullmatch(name), what, "left", name)
            os.unlink(os.path.join(self.path, name))
        expect(len(left) <= 1, what, "left", left)
        if read(self.file) == self.old:
            return "old"
        done = tool("verify", "m.coffer", "--trust", "vendor.pub", "--key", "me.key", cwd=self.path)
        expect(done.returncode == 0, what, "left a damaged file:", done.stdout.decode())
        return "new"


def kill_everywhere(folder, command, nonces):
    seen = {"old": 0, "new": 0}
    for kind in ("open", "write", "sync", "rename"):
        for when in ("kill", "after"):
            n, killed = 1, True
            while killed:
                fault = "%s:%d:%s" % (kind, n, when)
                done = tool(*command, fault=fault, nonces=nonces, cwd=folder.path)
                killed = done.returncode == KILLED
                expect(killed or done.returncode == 0, fault, "exit code", done.returncode, done.stdout.decode())
                seen[folder.check(fault, killed)] += 1
                folder.restore()
                n += 1
            expect(n > 2 or kind == "open", "no", kind, "was killed")
    expect(seen["old"] > 0 and seen["new"] > 0, seen)
    return seen


def fail_everywhere(folder, command, nonces):
    """Exit codes of a tool that was refused something: never a signal, never success with an old file."""
    runs = 0
    for kind, codes in (("write", {3}), ("sync", {3}), ("rename", {3}), ("open", {3, 4, 5, 7}), ("read", {3, 4}),
                        ("mmap", {9}), ("random", {3, 70}), ("mlock", set()), ("thread", set())):
        n, before = 1, None
        while True:
            fault = "%s:%d:error" % (kind, n)
            done = tool(*command, fault=fault, nonces=nonces, cwd=folder.path)
            state = folder.check(fault)
            folder.restore()
            expect(done.returncode in codes | {0}, fault, "exit code", done.returncode, done.stdout.decode())
            runs += 1
            n += 1
            # The number of calls is not known here: three successes in a row mean there are no more.
            before = (before or 0) + 1 if done.returncode == 0 and state == "new" else 0
            if before == 3 or n > 200:
                break
    # There are very many allocations: the first ones, then ever fewer.
    n = 1
    while n < 200_000:
        fault = "alloc:%d:error" % n
        done = tool(*command, fault=fault, cwd=folder.path)
        expect(done.returncode in (0, 9), fault, "exit code", done.returncode, done.stdout.decode())
        folder.check(fault)
        folder.restore()
        runs += 1
        n = n + 1 if n < 20 else n * 5 // 4
    return runs


def full_disk(folder):
    """0 when this user may not mount a small disk."""
    runs = 0
    disk = os.path.join(folder.path, "disk")
    os.mkdir(disk)
    try:
        need = len(folder.old) // 1024
        for size in (4, 8, 16, 40, need // 2, need + 4, need + need // 2, 2 * need - 4, 2 * need + 64):
            mount = ["mount", "-t", "tmpfs", "-o", "size=%dk" % size, "tmpfs", disk]
            if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
                return 0
            try:
                target = os.path.join(disk, "m.coffer")
                had = size > need + 8
                if had:
                    shutil.copy(folder.file, target)
                command = folder.pack(2)
                command[command.index("m.coffer")] = target
                done = tool(*command, cwd=folder.path)
                writers = 2 if had else 1  # the old file and the new one
                if size < writers * need - 4:
                    expect(done.returncode == 3, "disk of", size, "KiB: exit code", done.returncode)
                if size > writers * need + 16:
                    expect(done.returncode == 0, "disk of", size, "KiB:", done.stdout.decode())
                written = done.returncode == 0
                expect(written or b"No space left" in done.stdout, done.stdout.decode())
                expect(os.listdir(disk) == (["m.coffer"] if had or written else []), "left on the disk:",
                       os.listdir(disk))
                if had and not written:
                    expect(read(target) == folder.old, "the old file is not whole")
                runs += 1
            finally:
                subprocess.run(["umount", disk], check=True)
    finally:
        os.rmdir(disk)
    return runs


def at_once(folder, commands, rounds):
    """Several writers of one file: each ends with success or a clear refusal, and the file is always whole."""
    for _ in range(rounds):
        running = [subprocess.Popen([TOOL, *c], cwd=folder.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT) for c in commands]
        for process in running:
            text = process.communicate(timeout=120)[0]
            expect(process.returncode in (0, 3), "exit code", process.returncode, text.decode())
        folder.check("two writers at once")
    folder.restore()
    return rounds


def no_nonce_twice(path):
    lines = read(path).decode().split("\n")[:-1]
    expect(len(lines) > 50, "only", len(lines), "sealings were logged")
    expect(len(set(lines)) == len(lines), "a key and a nonce were used twice")
    return len(lines)


def main():
    with tempfile.TemporaryDirectory(prefix="faults-") as path, tempfile.TemporaryDirectory() as logs:
        nonces = os.path.join(logs, "nonces")
        try:
            folder = Folder(path)
            command = folder.pack(2)
            print("pack, killed:", kill_everywhere(folder, command, nonces))
            print("pack, refused something:", fail_everywhere(folder, command, nonces), "runs")
            print("pack, twice at once:", at_once(folder, [folder.pack(2), folder.pack(3)], 10), "rounds")
            disks = full_disk(folder)
            print("pack, full disks:", disks or "SKIP: this user may not mount a small disk")
            print("sealings, all with another key or nonce:", no_nonce_twice(nonces))
        except Failed as failure:
            print("FAILED:", failure)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
