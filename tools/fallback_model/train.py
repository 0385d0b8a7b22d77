"""Trains the small file type classifier that `./dev demo` uses where magika's cannot be downloaded.

NumPy does the training; onnx only writes the file. Learns from files of the machine it runs on (a Debian
system with development packages) and from generated ones, and writes filetypes.onnx and filetypes.json beside
itself.

    ./dev python && build/venv/bin/python tools/fallback_model/train.py

The network reads the first 512 bytes: an embedding of byte values, one convolution, its maximum and mean over
all positions, and two dense layers.
"""
import gzip
import io
import json
import os
import pathlib
import random
import sqlite3
import struct
import sys
import tarfile
import wave
import zipfile
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
LENGTH, PADDING, MINIMUM, BLOCK = 512, 256, 8, 4096
EMBED, KERNEL, STRIDE, FILTERS, HIDDEN = 8, 8, 4, 48, 48

# Kind -> is it text?
KINDS = {
    "c": True, "cpp": True, "python": True, "perl": True, "shell": True, "json": True, "xml": True, "html": True,
    "cmake": True, "txt": True, "elf": False, "ar": False, "gzip": False, "zip": False, "png": False, "pdf": False,
    "pythonbytecode": False, "sqlite": False, "wav": False, "tar": False, "randombytes": False,
}  # fmt: skip
SUFFIXES = {
    ".c": "c", ".h": "c", ".cpp": "cpp", ".hpp": "cpp", ".cc": "cpp", ".py": "python", ".pm": "perl", ".pl": "perl",
    ".sh": "shell", ".json": "json", ".xml": "xml", ".svg": "xml", ".html": "html", ".htm": "html", ".cmake": "cmake",
    ".txt": "txt", ".a": "ar", ".gz": "gzip", ".png": "png", ".pdf": "pdf", ".pyc": "pythonbytecode", ".zip": "zip",
    ".whl": "zip", ".jar": "zip",
}  # fmt: skip
MAGIC = {"elf": b"\x7fELF", "gzip": b"\x1f\x8b", "png": b"\x89PNG", "zip": b"PK", "ar": b"!<arch>", "pdf": b"%PDF"}
# Of each kind at most FOUND are taken as they are on the machine; where we can make some, they fill up PER_KIND.
FOUND, PER_KIND = 260, 360


def kind_of(path, head):
    if head.startswith(b"\x7fELF"):
        return "elf"
    if head.startswith(b"#!") and b"sh" in head.split(b"\n")[0] and path.suffix in ("", ".sh"):
        return "shell"
    if "/c++/" in str(path) and path.suffix == "" and b"-*- C++ -*-" in head[:100]:
        return "cpp"
    kind = SUFFIXES.get(path.suffix)
    if kind == "c" and (b"namespace " in head or b"template <" in head or b"class " in head):
        return "cpp"
    if kind in MAGIC and not head.startswith(MAGIC[kind]):
        return None
    return kind


def found_files(chance):
    kinds = {kind: [] for kind in KINDS}
    tops = ["/usr/include", "/usr/lib", "/usr/share", "/usr/bin", "/etc", str(HERE.parents[1] / "src")]
    for top in tops:
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = pathlib.Path(folder, name)
                try:
                    if path.is_symlink() or not path.is_file() or path.stat().st_size < 128:
                        continue
                    with open(path, "rb") as file:
                        head = file.read(BLOCK)
                except OSError:
                    continue
                kind = kind_of(path, head)
                if kind:
                    kinds[kind].append(head)
    for heads in kinds.values():
        chance.shuffle(heads)
    return {kind: heads[:FOUND] for kind, heads in kinds.items()}


def words(chance, texts, size):
    text = chance.choice(texts)
    at = chance.randrange(max(1, len(text) - size))
    return text[at : at + size]


def made_json(chance, vocabulary, depth):
    def word():
        return "-".join(chance.choices(vocabulary or ["name"], k=chance.randrange(1, 4)))[:30]

    if depth and chance.random() < 0.25 * depth:
        return chance.choice([word(), chance.randrange(10**4), chance.random(), True, None])
    items = [made_json(chance, vocabulary, depth + 1) for _ in range(chance.randrange(1, 7))]
    return items if chance.random() < 0.3 else {word(): item for item in items}


def made_file(kind, chance, texts):
    """A generated file of a kind that a system has few of."""
    out = io.BytesIO()
    payload = words(chance, texts, chance.randrange(200, 4000))
    if kind == "zip":
        with zipfile.ZipFile(out, "w", chance.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])) as archive:
            for i in range(chance.randrange(1, 5)):
                archive.writestr(f"{chance.choice(['src', 'doc', 'data'])}/{chance.randrange(9999)}-{i}.txt", payload)
    elif kind == "tar":
        with tarfile.open(fileobj=out, mode="w") as archive:
            info = tarfile.TarInfo(f"{chance.choice(['src', 'doc', 'pkg'])}/{chance.randrange(9999)}.txt")
            info.size, info.mtime, info.mode = len(payload), chance.randrange(2**31), 0o644
            archive.addfile(info, io.BytesIO(payload))
    elif kind == "gzip":
        out.write(gzip.compress(payload, chance.randrange(1, 10), mtime=chance.randrange(2**31)))
    elif kind == "png":
        size = chance.randrange(4, 90)
        data = bytes(chance.randrange(256) for _ in range(16)) * (size * (3 * size + 1) // 16 + 1)
        out.write(b"\x89PNG\r\n\x1a\n")
        header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
        for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")):
            out.write(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)))
    elif kind == "pdf":
        out.write(b"%%PDF-1.%d\n%%\xe2\xe3\xcf\xd3\n" % chance.randrange(8) if chance.random() < 0.6 else b"%PDF-1.4\n")
        for i in range(1, chance.randrange(3, 9)):
            body = chance.choice([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                                  b"<< /Length %d >>\nstream\n%s\nendstream" % (len(payload), payload[:300])])  # fmt: skip
            out.write(b"%d 0 obj\n%s\nendobj\n" % (i, body))
    elif kind == "wav":
        with wave.open(out, "wb") as sound:
            rate = chance.choice([8000, 16000, 44100, 48000])
            sound.setparams((chance.randrange(1, 3), 2, rate, 0, "NONE", ""))
            step = chance.randrange(1, 900)
            sound.writeframes(b"".join(struct.pack("<h", (i * step) % 30000 - 15000) for i in range(600)))
    elif kind == "sqlite":
        base = sqlite3.connect(":memory:")
        base.execute(f"create table t{chance.randrange(999)} (name text, value integer)")
        base.commit()
        out.write(base.serialize())
        base.close()
    elif kind == "json":
        out.write(json.dumps(made_json(chance, payload.decode("latin1").split(), 0), indent=chance.choice([None, 1, 2, 4])).encode())
    elif kind == "html":
        items = "".join(f"<li><a href='/{i}'>{chance.randrange(10**6)}</a></li>\n" for i in range(chance.randrange(20)))
        title = chance.choice(["Home", "Index", "Report", "Models"])
        out.write(f"<!DOCTYPE html>\n<html>\n<head>\n<title>{title}</title>\n</head>\n<body><ul>\n{items}</ul></body></html>\n".encode())
    elif kind == "randombytes":
        out.write(chance.randbytes(1000))
    return out.getvalue()


def tokens(head):
    head = head.lstrip()[:LENGTH]
    return np.array([*head, *[PADDING] * (LENGTH - len(head))], np.int32)


def dataset(chance):
    """(tokens, class) for training and for testing, apart by file."""
    found = found_files(chance)
    texts = [head for kind in ("txt", "c", "python") for head in found[kind]]
    train, test = [], []
    for index, (kind, text) in enumerate(KINDS.items()):
        heads = found[kind]
        while len(heads) < PER_KIND and (head := made_file(kind, chance, texts)):
            heads.append(head)
        cut = len(heads) // 6
        print(f"{kind:16} {len(heads):4} files")
        test += [(tokens(head), index) for head in heads[:cut]]
        for head in heads[cut:]:
            train.append((tokens(head), index))
            if text and kind not in ("shell", "xml", "html", "json") and len(head) > 1500:
                # A licence at the top says little: also learn from further down.
                train.append((tokens(head[chance.randrange(600, 1200) :]), index))
    return train, test


class Network:
    def __init__(self, rng):
        def normal(*shape, fan):
            return (rng.standard_normal(shape) * np.sqrt(2 / fan)).astype(np.float32)

        self.p = {
            "embed": normal(PADDING + 1, EMBED, fan=8),
            "conv": normal(KERNEL * EMBED, FILTERS, fan=KERNEL * EMBED),
            "conv_bias": np.zeros(FILTERS, np.float32),
            "dense1": normal(2 * FILTERS, HIDDEN, fan=2 * FILTERS),
            "bias1": np.zeros(HIDDEN, np.float32),
            "dense2": normal(HIDDEN, len(KINDS), fan=HIDDEN),
            "bias2": np.zeros(len(KINDS), np.float32),
        }
        self.steps = (LENGTH - KERNEL) // STRIDE + 1
        self.window = np.arange(self.steps)[:, None] * STRIDE + np.arange(KERNEL)  # positions of each window

    def forward(self, x):
        p = self.p
        windows = p["embed"][x[:, self.window]].reshape(len(x), self.steps, -1)
        conv = np.maximum(windows @ p["conv"] + p["conv_bias"], 0)
        pooled = np.concatenate([conv.max(1), conv.mean(1)], 1)
        hidden = np.maximum(pooled @ p["dense1"] + p["bias1"], 0)
        logits = hidden @ p["dense2"] + p["bias2"]
        logits = logits - logits.max(1, keepdims=True)
        probability = np.exp(logits)
        return windows, conv, pooled, hidden, probability / probability.sum(1, keepdims=True)

    def gradients(self, x, labels):
        p = self.p
        windows, conv, pooled, hidden, probability = self.forward(x)
        loss = -np.log(probability[np.arange(len(x)), labels] + 1e-9).mean()
        d = probability.copy()
        d[np.arange(len(x)), labels] -= 1
        d /= len(x)
        g = {"dense2": hidden.T @ d, "bias2": d.sum(0)}
        d = (d @ p["dense2"].T) * (hidden > 0)
        g |= {"dense1": pooled.T @ d, "bias1": d.sum(0)}
        d = d @ p["dense1"].T
        dconv = np.repeat(d[:, None, FILTERS:] / self.steps, self.steps, 1)
        rows, columns = np.meshgrid(np.arange(len(x)), np.arange(FILTERS), indexing="ij")
        dconv[rows, conv.argmax(1), columns] += d[:, :FILTERS]
        dconv *= conv > 0
        flat = dconv.reshape(-1, FILTERS)
        g |= {"conv": windows.reshape(len(flat), -1).T @ flat, "conv_bias": flat.sum(0)}
        dwindows = (flat @ p["conv"].T).reshape(-1, EMBED)
        g["embed"] = np.zeros_like(p["embed"])
        np.add.at(g["embed"], x[:, self.window].reshape(-1), dwindows)
        return loss, g


def train(network, samples, rng, epochs=14, batch=64):
    """Adam with a falling rate."""
    x, y = np.stack([s[0] for s in samples]), np.array([s[1] for s in samples])
    m = {k: np.zeros_like(v) for k, v in network.p.items()}
    v2 = {k: np.zeros_like(v) for k, v in network.p.items()}
    step, total = 0, epochs * (len(x) // batch)
    for epoch in range(epochs):
        order, losses = rng.permutation(len(x)), []
        for i in range(0, len(x) - batch + 1, batch):
            pick = order[i : i + batch]
            loss, gradients = network.gradients(x[pick], y[pick])
            losses.append(loss)
            step += 1
            rate = 0.003 * 0.5 * (1 + np.cos(np.pi * step / total))
            for k, g in gradients.items():
                m[k] = 0.9 * m[k] + 0.1 * g
                v2[k] = 0.999 * v2[k] + 0.001 * g * g
                network.p[k] -= rate * (m[k] / (1 - 0.9**step)) / (np.sqrt(v2[k] / (1 - 0.999**step)) + 1e-8)
        print(f"epoch {epoch + 1:2}: loss {np.mean(losses):.4f}", flush=True)


def write_onnx(network, path):
    p = dict(network.p)
    # (K * E, F), windows row by row -> (F, E, K)
    p["conv"] = np.ascontiguousarray(p["conv"].reshape(KERNEL, EMBED, FILTERS).transpose(2, 1, 0))
    nodes = [
        helper.make_node("Gather", ["embed", "bytes"], ["e"]),
        helper.make_node("Transpose", ["e"], ["channels"], perm=[0, 2, 1]),
        helper.make_node("Conv", ["channels", "conv", "conv_bias"], ["c"], kernel_shape=[KERNEL], strides=[STRIDE]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalMaxPool", ["r"], ["max"]),
        helper.make_node("GlobalAveragePool", ["r"], ["mean"]),
        helper.make_node("Concat", ["max", "mean"], ["both"], axis=1),
        helper.make_node("Flatten", ["both"], ["pooled"]),
        helper.make_node("Gemm", ["pooled", "dense1", "bias1"], ["h"]),
        helper.make_node("Relu", ["h"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "dense2", "bias2"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(
        nodes, "filetypes",
        [helper.make_tensor_value_info("bytes", TensorProto.INT32, ["batch", LENGTH])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(KINDS)])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in p.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="coffer train.py")
    model.ir_version = 8
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def main():
    chance, rng = random.Random(7), np.random.default_rng(7)
    training, testing = dataset(chance)
    network = Network(rng)
    train(network, training, rng)
    x, y = np.stack([s[0] for s in testing]), np.array([s[1] for s in testing])
    guess = np.concatenate([network.forward(x[i : i + 64])[-1].argmax(1) for i in range(0, len(x), 64)])
    accuracy = float((guess == y).mean())
    for index, kind in enumerate(KINDS):
        print(f"{kind:16} {100 * (guess[y == index] == index).mean():5.1f} %")
    print(f"test accuracy {100 * accuracy:.2f} % of {len(y)} files")
    write_onnx(network, HERE / "filetypes.onnx")
    labels = [[kind, 0.5, "txt" if text else "unknown"] for kind, text in KINDS.items()]
    facts = {"begin": LENGTH, "end": 0, "block": BLOCK, "minimum": MINIMUM, "padding": PADDING, "labels": labels}
    (HERE / "filetypes.json").write_text(json.dumps(facts, indent=1) + "\n")
    return 0 if accuracy > 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
