"""Real files for the demo: a handful of different kinds to show, and many from this machine to calibrate with."""
import os
import pathlib
import random
import sqlite3
import struct
import wave
import zipfile
import zlib


def png(path, size=64):
    """A small colour gradient."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + bytes(v for x in range(size) for v in (4 * x, 4 * y, 2 * (x + y))) for y in range(size)
    )
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def pdf(path):
    """One page with one line of text."""
    text = b"BT /F1 24 Tf 72 720 Td (A sealed model.) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        len(out),
    )
    path.write_bytes(out)


def archive(path, root):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in ("LICENSE", "README.md", "dev"):
            out.write(root / name, name)


def sound(path):
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(b"".join(struct.pack("<h", (i * 331) % 20000 - 10000) for i in range(8000)))


def database(path):
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("create table models (name text, version integer)")
    connection.executemany("insert into models values (?, ?)", [(f"model {i}", i) for i in range(100)])
    connection.commit()
    connection.close()


def web_page(path):
    rows = "".join(f"<li><a href='/models/{i}'>Model {i}</a></li>\n" for i in range(12))
    path.write_text(
        f"<!DOCTYPE html>\n<html lang='en'>\n<head><title>Models</title></head>\n<body>\n<ul>\n{rows}</ul>\n</body>\n</html>\n"
    )


def gallery(folder, root, program):
    """(what it is, path) of a handful of files of different kinds."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        "PNG image": ("picture.png", png),
        "PDF document": ("page.pdf", pdf),
        "ZIP archive": ("sources.zip", lambda path: archive(path, root)),
        "WAV sound": ("tone.wav", sound),
        "SQLite database": ("models.db", database),
        "HTML page": ("index.html", web_page),
    }
    shown = [
        ("C++ source", root / "src" / "graph" / "verify.cpp"),
        ("Python source", root / "tools" / "demo" / "demo.py"),
        ("shell script", root / "dev"),
        ("JSON", root / "CMakePresets.json"),
        ("ELF program", program),
    ]
    for what, (name, make) in made.items():
        make(folder / name)
        shown.append((what, folder / name))
    return shown


def of_this_machine(root, count, seed):
    """`count` different files of this machine, as many kinds as it has: names are grouped by suffix and taken in turn."""
    groups = {}
    for top in (root / "src", root / "include", pathlib.Path("/usr"), pathlib.Path("/etc"), pathlib.Path("/bin")):
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = pathlib.Path(folder, name)
                group = groups.setdefault(path.suffix.lower()[:6], [])
                if len(group) < 4000:
                    group.append(path)
    chance = random.Random(seed)
    for group in groups.values():
        chance.shuffle(group)
    common = sorted(groups, key=lambda s: (-len(groups[s]), s))[:60]
    chosen = []
    while len(chosen) < count and any(groups[s] for s in common):
        for suffix in common:
            while groups[suffix]:
                path = groups[suffix].pop()
                try:
                    usable = path.is_file() and not path.is_symlink() and path.stat().st_size >= 64
                    usable = usable and os.access(path, os.R_OK)
                except OSError:
                    usable = False
                if usable:
                    chosen.append(path)
                    break
            if len(chosen) == count:
                break
    return chosen
