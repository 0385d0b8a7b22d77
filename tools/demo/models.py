"""The classifier of the demo: magika's, from its wheel, or the one this project trained itself.

Either way: an ONNX file, and what a program must know to feed it and to read its answer (examples/filetype).
"""
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOWNLOADS = ROOT / "build" / "downloads"
REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")
FALLBACK = ROOT / "tools" / "fallback_model"


@dataclass
class Classifier:
    title: str
    onnx: pathlib.Path
    begin: int  # bytes looked at from the beginning, after white space
    end: int  # and from the end
    block: int  # bytes read at either end
    minimum: int  # fewer cannot be told
    padding: int  # stands for "no byte"
    labels: list  # (name, threshold, fallback) of each class

    def metadata(self):
        return {k: getattr(self, k) for k in ("begin", "end", "block", "minimum", "padding")}

    def labels_tsv(self):
        return "".join(f"{name}\t{threshold:g}\t{fallback}\n" for name, threshold, fallback in self.labels)

    def features(self, path):
        """The model's input for a file as a list of integers, or None when there is too little of it."""
        with open(path, "rb") as file:
            first = file.read(self.block)
            file.seek(-len(first), 2)
            last = file.read(self.block)
        first, last = first.lstrip()[: self.begin], last.rstrip()
        last = last[max(0, len(last) - self.end) :]
        if len(first) < self.minimum:
            return None
        return [
            *first,
            *[self.padding] * (self.begin - len(first)),
            *[self.padding] * (self.end - len(last)),
            *last,
        ]


def pinned():
    """(project, version, sha256) of the one line in requirements.txt."""
    match = re.search(r"^(\S+)==(\S+) --hash=sha256:([0-9a-f]{64})$", REQUIREMENTS.read_text(), re.MULTILINE)
    return match.groups()


def wheel():
    """The pinned wheel, downloaded the first time; None without a network."""
    project, version, digest = pinned()

    def found():
        for path in DOWNLOADS.glob(f"{project}-{version}-*.whl"):
            if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
                return path
        return None

    if found():
        return found()
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    # The platform is part of the pin: the hash is that of one file.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps",
               "--only-binary=:all:", "--platform", "manylinux_2_28_x86_64", "--python-version", "3.11",
               "--retries", "1", "--timeout", "20", "--require-hashes", "-r", str(REQUIREMENTS),
               "-d", str(DOWNLOADS)]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        last = result.stderr.strip().splitlines()[-1:] or ["pip failed"]
        print(f"Cannot download {project}=={version}: {last[0]}")
    return found()


def magika(folder):
    """Magika's model and the facts of its own configuration; None when it cannot be had."""
    path = wheel()
    if path is None:
        return None
    with zipfile.ZipFile(path) as archive:
        config_name = next(n for n in archive.namelist() if n.endswith("/config.min.json"))
        config = json.loads(archive.read(config_name))
        kinds = json.loads(archive.read("magika/config/content_types_kb.min.json"))
        onnx = folder / "magika.onnx"
        onnx.write_bytes(archive.read(config_name.replace("config.min.json", "model.onnx")))
    if config["mid_size"] or config["use_inputs_at_offsets"]:
        raise ValueError("this model looks at other parts of a file than its two ends")
    labels = []
    for label in config["target_labels_space"]:
        shown = config["overwrite_map"].get(label, label)
        threshold = config["thresholds"].get(label, config["medium_confidence_threshold"])
        labels.append((shown, threshold, "txt" if kinds[shown]["is_text"] else "unknown"))
    return Classifier("magika 1.0.3", onnx, config["beg_size"], config["end_size"], config["block_size"],
                      config["min_file_size_for_dl"], config["padding_token"], labels)  # fmt: skip


def own():
    """The classifier that tools/fallback_model/train.py made."""
    facts = json.loads((FALLBACK / "filetypes.json").read_text())
    labels = [tuple(label) for label in facts.pop("labels")]
    return Classifier("the project's own classifier", FALLBACK / "filetypes.onnx", labels=labels, **facts)
