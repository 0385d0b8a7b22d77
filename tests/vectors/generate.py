#!/usr/bin/env python3
"""Makes the test vectors of README.md: files with one fault each, and sound ones.

    generate.py DIR            writes DIR/NAME.vector
    generate.py --archive      writes them to testkit.tar.xz and index.txt beside this file
    generate.py --check        fails when those two are not what this script makes

The same bytes every time: keys come from labels, "random" numbers from a counter, and all files share one file key and salt
(writers never do that), so that two vectors differ only where their fault makes them, and the archive stays small.
"""
import io
import lzma
import pathlib
import struct
import sys
import tarfile

import flat
import licence
from flat import Repeat
from reader import (FLOAT32, HDR_FIELDS, HDR_STRUCT, INT64, MANIFEST_SCHEMA, NONE, PAGE, STRING, BOOL, FileKeys, hmac_sha256,
                    identity_text, key_id, leaf, le2, le8, padme, sha256, table_root, x25519_public)
from writer import Container, Random, Signer, as_is, entry, grant, in_clear, to_kek, to_password, to_x25519

HERE = pathlib.Path(__file__).resolve().parent
ARCHIVE, INDEX = HERE / "testkit.tar.xz", HERE / "index.txt"


def secret(label):
    return sha256(b"testkit\0", label.encode())


VENDOR, SECOND, STRANGER, DISTRIBUTOR = (Signer(secret(n)) for n in ("vendor", "second", "stranger", "distributor"))
KEK, OTHER_KEK, DEK, SALT = (secret(n) for n in ("kek", "other kek", "dek", "salt"))
IDENTITY, OTHER_IDENTITY = secret("identity"), secret("other identity")
PASSWORD = "correct horse"
KEK_LINE = f"kek: {KEK.hex()}"
IDENTITY_LINE = f"identity: {identity_text(IDENTITY)}"
TRUST = f"trust: {VENDOR.public.hex()}"
NAME = "com.example.net"

VECTORS = {}
CLASSES = ("success io format unsupported signature untrusted rollback expired revoked wrong_model unprotected no_recipient "
           "unwrap commitment header_auth manifest_auth manifest_invalid tree chunk_auth limit licence").split()


def vector(name, expect, comment, container, verify=None, keys=(KEK_LINE,), trust=(TRUST,), extra=(), patch=None):
    """One file. `verify` is the answer without a key where it is not `expect`."""
    assert name not in VECTORS and expect in CLASSES and (verify is None or verify in CLASSES), name
    data = container.write() if isinstance(container, Container) else container
    if patch:
        data = patch(data)
    lines = [f"expect: {expect}"] + ([f"verify: {verify}"] if verify and verify != expect else [])
    lines += [f"comment: {comment}", *trust, *keys, *extra]
    if expect == "success" and isinstance(container, Container):
        manifest, payload = container.plaintexts
        lines += [f"manifest: {sha256(manifest).hex()}", f"payload: {sha256(payload).hex()}"]
    VECTORS[name] = "\n".join(lines).encode() + b"\n\n" + data


# --- the file that faults are put into -------------------------------------------------------------------------------

def dims(*sizes):
    return [{"size": size, "symbol": NONE} if isinstance(size, int) else {"size": NONE, "symbol": int(size)} for size in sizes]


def value(name, dtype=FLOAT32, shape=None, **fields):
    typed = {} if shape is None else {"ranked": True, "dims": dims(*shape)}
    return {"name": name, "dtype": dtype, **typed, **fields}


def strings(*texts):
    """A string tensor as it is stored (5.10)."""
    offsets, end = [0], 0
    for text in texts:
        end += len(text)
        offsets.append(end)
    return struct.pack(f"<{len(offsets)}Q", *offsets) + b"".join(texts)


def small_manifest():
    main = {"name": "main", "inputs": [0], "outputs": [2],
            "values": [value("x", shape=[1, 3]), value("w", shape=[3], constant=0), value("y", shape=[1, 3])],
            "nodes": [{"op": 0, "op_version": 14, "name": "add", "inputs": [0, 1], "outputs": [2]}]}
    return {"format": 1, "producer": "testkit", "name": NAME, "constants": 1, "ops": ["Add"], "graphs": [main],
            "tensors": [{"name": "w", "dtype": FLOAT32, "shape": [3]}, {"name": "", "dtype": 2, "shape": [20_000]}]}


def pattern(size, at):
    """What stands at payload offset `at`: the same in every vector, so that ciphertexts repeat in the archive."""
    return bytes((i * 131 + i // 251) & 255 for i in range(at, at + size))


def small_items():
    return [struct.pack("<3f", 1.5, -0.0, 3e-40), pattern(20_000, 64)]


def tiny(**changes):
    """As base(), with a payload of 12 bytes."""
    manifest = small_manifest()
    return base(**{"manifest": {**manifest, "tensors": manifest["tensors"][:1]}, "items": small_items()[:1], **changes})


def base(**changes):
    """Signed by VENDOR, wrapped for KEK, two chunks of 16 KiB."""
    fields = {"manifest": small_manifest(), "items": small_items(), "recipients": [to_kek(KEK)], "signers": [VENDOR],
              "chunk_log2": 14, "model_version": 3, "created": 1_700_000_000, "dek": DEK, "salt": SALT,
              "seed": "testkit"}
    return Container(**{**fields, **changes})


def rich_manifest():
    """A little of everything: subgraphs, attributes of every kind, strings, booleans, states, blobs, metadata."""
    attrs = [{"name": "i", "kind": 1, "i": -5}, {"name": "f", "kind": 2, "f": 2.5}, {"name": "s", "kind": 3, "s": "text"},
             {"name": "ints", "kind": 4, "ints": [1, 2]}, {"name": "floats", "kind": 5, "floats": [0.5]},
             {"name": "strings", "kind": 6, "strings": ["a", "b"]}, {"name": "t", "kind": 7, "tensor": 0},
             {"name": "many", "kind": 4, "tensor": 3}]
    main = {"name": "main", "inputs": [0, 1, 2], "outputs": [6, 7],
            "values": [value("cond", BOOL, []), value("x", FLOAT32, ["0", 3]), value("h", FLOAT32, [1, 3]),
                       value("w", FLOAT32, [3], constant=0), value("words", STRING, [3], constant=1),
                       value("flags", BOOL, constant=2), value("y"), value("h_next", FLOAT32, [1, 3])],
            "nodes": [{"op": 0, "op_version": 21, "name": "branch", "inputs": [0, 1, 3], "outputs": [6],
                       "attrs": [{"name": "then_branch", "kind": 8, "graph": 1},
                                 {"name": "else_branch", "kind": 8, "graph": 2},
                                 {"name": "captures", "kind": 1, "i": 2}]},
                      {"op": 1, "op_version": 14, "name": "step", "inputs": [2, 3, NONE], "outputs": [7, NONE],
                       "attrs": attrs}]}

    def branch(name, node_op):
        return {"name": name, "inputs": [0, 1], "outputs": [2], "values": [value("a"), value("b"), value("c")],
                "nodes": [{"op": node_op, "op_version": 14, "name": "", "inputs": [0, 1], "outputs": [2]}]}
    return {"format": 1, "producer": "testkit", "name": NAME, "constants": 3,
            "ops": ["If", "com.example::Step", "Add", "Sub"], "symbols": ["batch"],
            "graphs": [main, branch("then", 2), branch("else", 3)],
            "tensors": [{"name": "w", "dtype": FLOAT32, "shape": [3]}, {"name": "words", "dtype": STRING, "shape": [3]},
                        {"name": "flags", "dtype": BOOL, "shape": [3]}, {"name": "", "dtype": INT64, "shape": [70]},
                        {"name": "", "dtype": FLOAT32, "shape": [1, 3]}],
            "states": [{"input": "h", "output": "h_next", "initial": 4}],
            "blobs": [{"name": "labels.txt"}, {"name": "empty"}],
            "metadata": [{"key": "author", "value": "somebody"}, {"key": "licence", "value": ""}],
            "claims": {"min_runtime": 1, "max_threads": 4}, "fingerprint": [1, 2, 3]}


def rich_items():
    return [struct.pack("<3f", 1, 2, 3), strings(b"ab", b"", "\u00fc".encode()), b"\0\1\1", struct.pack("<70q", *range(70)),
            struct.pack("<3f", 0, 0, 0), b"cat\ndog\n", b""]


def rich(**changes):
    return base(manifest=rich_manifest(), items=rich_items(), **changes)


def set_header(**fields):
    return lambda h: {**h, **fields}


OFFSETS = {}
_at = 0
for _name, _code in HDR_FIELDS:
    OFFSETS[_name] = _at
    _at += struct.calcsize("<" + _code)


def header_of(data):
    return dict(zip(OFFSETS, struct.unpack_from(HDR_STRUCT, data)))


def flip(at, mask=1):
    """A patch that changes bits of one byte; `at` may be a function of the header."""
    def patch(data):
        where = at(header_of(data)) if callable(at) else at
        return data[:where] + bytes([data[where] ^ mask]) + data[where + 1:]
    return patch


def put(at, new):
    def patch(data):
        where = at(header_of(data)) if callable(at) else at
        return data[:where] + new + data[where + len(new):]
    return patch


def packed(name, number):
    return struct.pack("<" + dict(HDR_FIELDS)[name], number)


# --- sound files -----------------------------------------------------------------------------------------------------

def sound():
    ok = "success"
    vector("valid_kek", ok, "AES-256-GCM, a raw key", base())
    vector("valid_chacha", ok, "ChaCha20-Poly1305, a raw key", tiny(suite=2))
    vector("valid_x25519", ok, "an X25519 recipient", base(recipients=[to_x25519(x25519_public(IDENTITY))]), keys=[IDENTITY_LINE])
    vector("valid_x25519_chacha", ok, "an X25519 recipient, suite 2",
           tiny(suite=2, recipients=[to_x25519(x25519_public(IDENTITY))]), keys=[IDENTITY_LINE])
    vector("valid_password", ok, "a password", base(recipients=[to_password(PASSWORD.encode())]), keys=[f"password: {PASSWORD}"])
    vector("valid_password_chacha_utf8", ok, "a password that is not ASCII, suite 2",
           tiny(suite=2, recipients=[to_password("p\u00e4ss \u20ac".encode())]), keys=["password: p\u00e4ss \u20ac"])
    vector("valid_password_log_n_15", ok, "a password with logN 15", base(recipients=[to_password(b"x", 15)]), keys=["password: x"])
    vector("valid_password_unsigned", ok, "a password alone in a file without a signature",
           base(signers=[], recipients=[to_password(PASSWORD.encode())]), keys=[f"password: {PASSWORD}"], extra=["allow: unsigned"])
    mixed = [to_password(PASSWORD.encode()), to_x25519(x25519_public(OTHER_IDENTITY)), to_kek(KEK),
             to_x25519(x25519_public(IDENTITY))]
    for name, line in (("kek", KEK_LINE), ("x25519", IDENTITY_LINE), ("password", f"password: {PASSWORD}")):
        vector(f"valid_mixed_{name}", ok, f"four recipients, opened with {name}", base(recipients=mixed), keys=[line])
    strangers = [as_is(2, struct.pack("<I", i) + bytes(80)) for i in range(1023)]
    vector("valid_1024_slots", ok, "the last of 1,024 slots", base(recipients=strangers + [to_kek(KEK)]))
    vector("valid_unknown_slots", ok, "slots of unknown kinds, with and without a body, are skipped",
           base(recipients=[as_is(6, b"tpm"), as_is(0x8001, b""), as_is(99, bytes(8192)), to_kek(KEK)]))
    vector("valid_second_slot_of_key", ok, "the first slot for the key is damaged, the second opens",
           base(recipients=[to_kek(KEK), to_kek(KEK)],
                on_slots=lambda s: [(*s[0][:3], s[0][3][:-1] + bytes([s[0][3][-1] ^ 1])), s[1]]))
    vector("valid_two_signers", ok, "two signatures, both needed", base(signers=[VENDOR, SECOND]),
           trust=[TRUST, f"trust: {SECOND.public.hex()}"], extra=["threshold: 2"])
    vector("valid_eight_signatures", ok, "eight signatures, one of them trusted",
           base(signers=[Signer(secret(f"signer {i}")) for i in range(7)] + [VENDOR]))
    vector("valid_unknown_alg", ok, "an entry of an unknown algorithm is ignored",
           base(on_entries=lambda e: [entry(2, secret("ml-dsa"), bytes(3309)), *e]))
    vector("valid_entries_to_the_end", ok, "entries leave less than 36 bytes, which are zeros",
           base(on_entries=lambda e: [*e, entry(7, secret("filler"), bytes(3584 - 100 - 36 - 35))]))
    vector("valid_stranger_signature", ok, "a signature of an untrusted key is ignored, even a wrong one",
           base(on_entries=lambda e: [entry(1, key_id(STRANGER.public), bytes(64)), *e]))
    vector("valid_unsigned", ok, "no signature, by permission; the key vouches for HDR", base(signers=[]), extra=["allow: unsigned"])
    vector("valid_unprotected", ok, "the file key in clear, by permission",
           base(recipients=[in_clear()], incompat=8), keys=[], extra=["allow: unprotected"])
    vector("valid_slots_signature_ignored", ok, "SLOTS carry a signature nobody asked for", base(distributors=[DISTRIBUTOR]))
    vector("valid_generation", ok, "SLOTS were rewritten eight times", base(generation=9))
    vector("valid_minor_compat", ok, "another minor version and compat bits", base(on_header=set_header(minor=7, compat=0xFFFFFFFF)))
    vector("valid_not_after", ok, "not_after is the reader's time", base(not_after=1_800_000_000), extra=["time: 1800000000"])
    vector("valid_expectations", ok, "the model and version the reader wants", base(),
           extra=[f"model: {NAME}", "min-version: 3"])
    vector("valid_highest_version", ok, "model_version of all ones", base(model_version=2**64 - 1), extra=["min-version: 18446744073709551615"])
    vector("valid_rich", ok, "subgraphs, attributes of every kind, strings, states, blobs, metadata", rich())
    vector("valid_rich_padded", ok, "the size of the payload hidden by padme", rich(hide_size=True))
    vector("valid_unnamed", ok, "a model without a name", base(manifest={**small_manifest(), "name": ""}))
    empty = {**small_manifest(), "constants": 0, "tensors": [],
             "graphs": [{**small_manifest()["graphs"][0], "values": [value("x"), value("w"), value("y")], "inputs": [0, 1]}]}
    vector("valid_no_payload", ok, "no chunk at all", base(manifest=empty, items=[]))
    for size in (1, 16384, 16385, 32768):
        vector(f"valid_payload_{size}", ok, f"a payload of {size} bytes in chunks of 16 KiB",
               base(manifest={**empty, "blobs": [{"name": "b"}]}, items=[pattern(size, 0)]))
    vector("valid_chunk_1m", ok, "chunks of 1 MiB", base(chunk_log2=20))
    vector("valid_large_manifest", ok, "a manifest above 64 KiB, its size hidden by padme",
           tiny(manifest={**small_manifest(), "tensors": small_manifest()["tensors"][:1], "metadata": [{"key": "zeros", "value": "\1" * 63_000}]}))
    vector("valid_every_dtype", ok, "a tensor of each element type, and empty ones",
           base(manifest={**small_manifest(), "tensors": [{"name": "w", "dtype": FLOAT32, "shape": [3]}] +
                          [{"dtype": d, "shape": [3]} for d in range(1, 27)] + [{"dtype": d, "shape": [0, 2]} for d in range(1, 27)]},
                items=[bytes(12)] + [strings(b"a", b"", b"b") if d == STRING else bytes(-(-3 * BITS[d] // 8)) for d in range(1, 27)] +
                [strings() if d == STRING else b"" for d in range(1, 27)]))
    newer = flat.Schema((HERE.parents[1] / "schemas" / "manifest.fbs").read_text())
    newer.tables["Manifest"] = [*newer.tables["Manifest"], flat.Field("later", "string", None)]
    vector("valid_newer_schema", ok, "a field that this version does not know is ignored",
           base(on_buffer=lambda b: flat.encode(newer, {**flat_plain(b), "later": "news"})))


BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16, 17: 8,
        18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}


def flat_plain(buffer):
    """A decoded manifest that can be encoded again."""
    return what_is_there(flat.decode(MANIFEST_SCHEMA, buffer))


def what_is_there(node):
    if isinstance(node, dict):
        return {k: what_is_there(v) for k, v in node.items() if k in node.get("present", node)}
    return [what_is_there(v) for v in node] if isinstance(node, list) else node


# --- steps 2 to 4: the fixed parts -----------------------------------------------------------------------------------

def fixed_parts():
    good = base().write()
    h = header_of(good)
    cuts = {"empty": 0, "magic_only": 8, "hdr": 512, "head": 4096, "min_file": 8287, "manifest": h["table_off"],
            "table": h["payload_off"], "payload": h["body_len"], "slots_head": h["body_len"] + 64, "last_byte": len(good) - 1}
    for name, size in cuts.items():
        vector(f"cut_{name}", "format", f"cut to {size} bytes", good, patch=lambda d, n=size: d[:n])
    for name, tail in (("byte", b"\0"), ("page", bytes(4096)), ("copy", good[h["body_len"]:])):
        vector(f"extended_{name}", "format", "bytes after the end", good, patch=lambda d, t=tail: d + t)
    vector("extended_mebibyte", "format", "more than 1 MiB after the body", good, patch=lambda d: d + bytes(1 << 20))
    vector("magic_text_mode", "format", "a transfer turned CR LF into LF", good, patch=lambda d: d.replace(b"\r\n", b"\n", 1) + b"\0")
    vector("magic_7_bit", "format", "the highest bit was lost", good, patch=flip(0, 0x80))

    def bad(name, expect, comment, **fields):
        vector(f"hdr_{name}", expect, comment + "; the rest, signature included, agrees", base(on_header=set_header(**fields)))
    bad("magic", "format", "another magic", magic=b"\x89COG\r\n\x1a\n")
    bad("major_0", "unsupported", "major 0", major=0)
    bad("major_2", "unsupported", "major 2", major=2)
    for bit in (4, 16, 31):
        bad(f"incompat_bit_{bit}", "unsupported", f"unknown incompat bit {bit}", incompat=1 << bit)
    for suite in (0, 3, 0x0102, 0xFFFF):
        bad(f"suite_{suite}", "unsupported", f"suite {suite}", suite=suite)
    for log2 in (13, 21):
        vector(f"hdr_chunk_log2_{log2}", "format", f"a file in chunks of 2^{log2} bytes, right in everything else", base(chunk_log2=log2))
    bad("chunk_log2_255", "format", "chunks of 2^255", chunk_log2=255)
    bad("zero", "format", "the zero byte", zero=1)
    bad("reserved_first", "format", "first reserved byte", reserved=b"\1" + bytes(247))
    bad("reserved_last", "format", "last reserved byte", reserved=bytes(247) + b"\1")
    no_manifest = {"manifest_len": 0, "table_off": 4096, "payload_off": 8192, "body_len": h["body_len"] - 4096}
    vector("hdr_manifest_len_0", "format", "no MANIFEST; all offsets fit",
           base(on_sealed_manifest=lambda _: b"", on_header=set_header(**no_manifest)))
    vector("hdr_manifest_len_odd", "format", "MANIFEST is 4 bytes longer than whole pages; all offsets fit",
           base(on_plain=lambda p: p + bytes(4)))
    bad("manifest_len_more", "format", "manifest_len a page more", manifest_len=8192)
    bad("manifest_len_wraps", "format", "4096 + manifest_len wraps to 0", manifest_len=2**64 - 4096)
    bad("manifest_len_half", "format", "manifest_len 2^63", manifest_len=2**63)
    for name in ("table_off", "table_len", "payload_off", "n_chunks", "body_len", "payload_len"):
        for step in (-1, 1):
            bad(f"{name}_{'less' if step < 0 else 'more'}", "format", f"{name} off by one", **{name: h[name] + step})
    bad("payload_off_page", "format", "payload_off a page later", payload_off=h["payload_off"] + PAGE)
    bad("table_off_wraps", "format", "table_off near 2^64", table_off=2**64 - PAGE)
    bad("n_chunks_wraps", "format", "48 n_chunks wraps to table_len", n_chunks=h["n_chunks"] + 2**60)

    def consistent(payload_len):
        n = (payload_len + 16383) >> 14
        off = (h["table_off"] + 48 * n + 4095) // 4096 * 4096
        return {"payload_len": payload_len, "n_chunks": n, "table_len": 48 * n, "payload_off": off,
                "body_len": (off + payload_len) % 2**64}
    bad("payload_4g", "format", "a payload of 4 GiB that is not there", **consistent(4 << 30))
    bad("payload_over_2_42", "format", "a payload above 2^42", **consistent(2**42 + 1))
    bad("payload_wraps", "format", "payload_len near 2^64", **consistent(2**64 - 20_000))
    vector("slots_95", "format", "SLOTS of 95 bytes", good, verify="format", patch=lambda d: d[:h["body_len"] + 95])
    vector("cap_file", "limit", "the file is above the reader's cap", base(), extra=["cap-file: 20000"])
    vector("cap_manifest", "limit", "the manifest is above the reader's cap", base(), extra=["cap-manifest: 4095"])
    vector("suite_not_allowed", "unsupported", "the reader's policy allows suite 2 only", base(), extra=["suites: 2"])


# --- steps 5 and 6: signatures and facts -----------------------------------------------------------------------------

def signatures():
    untrusted, bad = "untrusted", "signature"
    vector("sig_none", bad, "no signature", base(signers=[]))
    vector("sig_stranger", untrusted, "signed by a key nobody trusts", base(signers=[STRANGER]))
    vector("sig_too_few", untrusted, "one trusted signature of two", base(), trust=[TRUST, f"trust: {SECOND.public.hex()}"],
           extra=["threshold: 2"])
    vector("sig_flipped", bad, "a bit of the signature", base(), patch=flip(512 + 36 + 5))
    vector("sig_flipped_unsigned_allowed", bad, "a bad signature of a trusted key stays one when unsigned files are allowed",
           base(), patch=flip(512 + 36 + 5), extra=["allow: unsigned"])
    vector("sig_second_flipped", bad, "the threshold is met, but another trusted signature is wrong", base(signers=[VENDOR, SECOND]),
           trust=[TRUST, f"trust: {SECOND.public.hex()}"], patch=flip(512 + 100 + 36))
    vector("sig_alg", untrusted, "the algorithm became an unknown one", base(), patch=flip(512, 4))
    vector("sig_alg_2_length_64", untrusted, "an ML-DSA entry under the key id of the trusted key",
           base(on_entries=lambda e: [entry(2, key_id(VENDOR.public), e[0][36:])]))
    vector("sig_alg_0", bad, "alg 0 with an entry behind it", base(), patch=flip(512))
    vector("sig_key_id", untrusted, "the key id became that of nobody", base(), patch=flip(512 + 4))
    vector("sig_twice", bad, "the same entry twice", base(on_entries=lambda e: e + e), trust=[TRUST, f"trust: {SECOND.public.hex()}"])
    vector("sig_twice_other_alg", bad, "one key id under two algorithms",
           base(on_entries=lambda e: [entry(9, e[0][4:36], b"x"), *e]))
    vector("sig_nine", bad, "nine entries", base(signers=[VENDOR] + [Signer(secret(f"signer {i}")) for i in range(8)]))
    vector("sig_length_0", bad, "an entry of an unknown algorithm without a signature",
           base(on_entries=lambda e: [*e, entry(5, secret("x"), b"")]))
    vector("sig_length_63", bad, "an Ed25519 signature of 63 bytes", base(on_entries=lambda e: [e[0][:2] + le2(63) + e[0][4:-1]]))
    vector("sig_length_65", bad, "an Ed25519 signature of 65 bytes", base(on_entries=lambda e: [e[0][:2] + le2(65) + e[0][4:] + b"\0"]))
    vector("sig_length_63_stranger", bad, "an Ed25519 signature of 63 bytes of a stranger beside a good one",
           base(on_entries=lambda e: [entry(1, key_id(STRANGER.public), bytes(63)), *e]))
    vector("sig_beyond", bad, "an entry longer than the region", base(on_entries=lambda e: [*e, struct.pack("<HH", 5, 3500) + secret("x")]))
    vector("sig_padding", bad, "a byte behind the list", base(), patch=flip(4095))
    vector("sig_padding_after_head", bad, "the list ends at alg 0, its len is not 0", base(), patch=flip(512 + 100 + 2))
    vector("sig_padding_short", bad, "less than 36 bytes are left, and not zero",
           base(on_entries=lambda e: [*e, entry(7, secret("filler"), bytes(3584 - 100 - 36 - 35))], on_sigs=lambda s: s[:-1] + b"\1"))

    def signed_as(label, alg=1, digest=None):
        def sign(h):
            return [entry(1, key_id(VENDOR.public), _ed25519(VENDOR, label + b"\0" + le2(alg) + key_id(VENDOR.public) + h))]
        c = base(signers=[])
        c.on_entries = lambda _: sign(digest(c) if digest else sha256(c.hdr))
        return c
    vector("sig_slots_label", bad, "signed under the label of SLOTS", signed_as(b"coffer/v1/slots-sig"))
    vector("sig_no_label", bad, "signed without a label", signed_as(b""))
    vector("sig_alg_in_message", bad, "the message names another algorithm", signed_as(b"coffer/v1/sig", alg=2))
    vector("sig_over_hdr", bad, "over HDR itself instead of its hash", signed_as(b"coffer/v1/sig", digest=lambda c: c.hdr))
    vector("sig_of_other_file", bad, "the signature of another file", base(on_entries=lambda _: [VENDOR.entry("coffer/v1/sig", secret("other"))]))
    order = 2**252 + 27742317777372353535851937790883648493

    def malleable(e):
        s = int.from_bytes(e[0][-32:], "little") + order
        return [e[0][:-32] + s.to_bytes(32, "little")]
    vector("sig_s_not_reduced", bad, "S plus the order of the group", base(on_entries=malleable))

    vector("fact_unprotected", "unprotected", "an unprotected file without permission", base(recipients=[in_clear()], incompat=8), keys=[])
    vector("fact_unprotected_unsigned", "unprotected", "permission to be unsigned is not permission to be unprotected",
           base(recipients=[in_clear()], incompat=8, signers=[]), keys=[], extra=["allow: unsigned"])
    vector("fact_model", "wrong_model", "another model than the reader wants", base(), extra=["model: com.example.other"])
    vector("fact_unnamed", "wrong_model", "no name where the reader wants one", base(manifest={**small_manifest(), "name": ""}),
           extra=[f"model: {NAME}"])
    vector("fact_version", "rollback", "an older version than the reader wants", base(), extra=["min-version: 4"])
    vector("fact_expired", "expired", "a second after not_after", base(not_after=1_800_000_000), extra=["time: 1800000001"])
    vector("fact_expired_unsigned", "expired", "expired, in a file without a signature", base(not_after=1_800_000_000, signers=[]),
           extra=["time: 1800000001", "allow: unsigned"])
    revoked = base()
    data = revoked.write()
    vector("fact_revoked", "revoked", "a content_id the reader has revoked", data, extra=[f"revoked: {sha256(data[:512]).hex()}"])


def _ed25519(signer, message):
    from cryptography.hazmat.primitives.asymmetric import ed25519
    return ed25519.Ed25519PrivateKey.from_private_bytes(signer.seed).sign(message)


# --- steps 7 to 10: SLOTS and the key --------------------------------------------------------------------------------

def slots():
    def bad(name, expect, comment, **changes):
        keys = changes.pop("keys", (KEK_LINE,))
        extra = changes.pop("extra", ())
        patch = changes.pop("patch", None)
        # What breaks the layout is seen without a key, unless it shows only when a slot is tried.
        verify = changes.pop("verify", expect if expect in ("format", "unsupported") else "success")
        vector(f"slots_{name}", expect, comment, base(**changes), verify=verify, keys=keys, extra=extra, patch=patch)

    def head(name, expect, comment, **fields):
        bad(name, expect, comment + "; MAC agrees", on_slots_head=lambda h: {**h, **fields})
    head("magic", "format", "another magic", magic=b"COFT")
    head("version_0", "unsupported", "version 0", version=0)
    head("version_2", "unsupported", "version 2", version=2)
    head("count_0", "format", "no slot", count=0)
    bad("count_less", "format", "one slot fewer is counted than there are", recipients=[to_kek(KEK), as_is(2, bytes(84))],
        on_slots_head=lambda h: {**h, "count": 1})
    head("count_more", "format", "more slots counted than there are", count=2)
    head("count_1025", "format", "1,025 slots", count=1025)
    head("reserved", "format", "reserved bytes", reserved=b"\0\0\0\0\0\0\0\1")
    head("flag_unknown", "unsupported", "an unknown flag", flags=2)
    head("flag_grant", "format", "a grant in the place of SLOTS", flags=1, generation=0)
    bad("content_id", "header_auth", "SLOTS of another file", verify="header_auth",
        on_slots_head=lambda h: {**h, "content_id": secret("other")})
    bad("total_less", "format", "total a byte less", on_slots_head=lambda h: {**h, "total": h["total"] - 1})
    bad("total_more", "format", "total a byte more", on_slots_head=lambda h: {**h, "total": h["total"] + 1})
    bad("none", "format", "no slot, and SLOTS of 96 bytes", recipients=[])
    bad("too_many", "format", "1,025 slots that are there", recipients=[as_is(2, struct.pack("<I", i) + bytes(80)) for i in range(1024)] +
        [to_kek(KEK)])

    def slot(name, expect, comment, change, **more):
        bad(f"slot_{name}", expect, comment, on_slots=lambda s: [change(*x) for x in s], **more)
    slot("flags", "format", "an unknown flag of a slot", lambda k, f, i, b: (k, 2, i, b))
    slot("critical_known", "success", "a critical slot of a known kind", lambda k, f, i, b: (k, 1, i, b))
    slot("raw_short", "format", "a raw key slot a byte short", lambda k, f, i, b: (k, f, i, b[:-1]))
    slot("raw_long", "format", "a raw key slot a byte long", lambda k, f, i, b: (k, f, i, b + b"\0"))
    slot("empty", "format", "a raw key slot without a body", lambda k, f, i, b: (k, f, i, b""))
    bad("slot_x25519_short", "format", "an X25519 slot of another length beside a good one",
        recipients=[to_kek(KEK), as_is(2, bytes(83))])
    bad("slot_password_long", "format", "a password slot of another length beside a good one",
        recipients=[to_kek(KEK), as_is(3, bytes(98))])
    bad("slot_body_8193", "format", "a body above 8 KiB", recipients=[to_kek(KEK), as_is(0x8000, bytes(8193))])
    bad("slot_critical_unknown", "unsupported", "a critical slot of an unknown kind", recipients=[to_kek(KEK), as_is(99, b"x")],
        on_slots=lambda s: [s[0], (s[1][0], 1, *s[1][2:])])
    bad("slot_same_id", "format", "two slots of one id", recipients=[to_kek(KEK), to_kek(OTHER_KEK)],
        on_slots=lambda s: [s[0], (*s[1][:2], s[0][2], s[1][3])])
    bad("slot_length_beyond", "format", "a slot longer than the region", patch=put(lambda h: h["body_len"] + 64 + 4, le4(4000)))
    bad("slot_length_wraps", "format", "a slot of 2^32 - 1 bytes", patch=put(lambda h: h["body_len"] + 64 + 4, le4(0xFFFFFFFF)))
    bad("no_room_for_mac", "format", "the last slot reaches to the end", on_mac=lambda m, *_: m[:31],
        on_slots_head=lambda h: {**h, "total": h["total"] - 1})
    junk = lambda data: lambda e, _: [*e, data]  # noqa: E731

    def tail(name, data, comment, expect="format"):
        bad(f"tail_{name}", expect, comment, on_slots_entries=junk(data),
            on_slots_head=lambda h: {**h, "total": h["total"] + len(data)})
    tail("byte", b"\0", "a byte behind the MAC")
    tail("35", bytes(35), "35 zeros behind the MAC")
    tail("zeros", bytes(100), "zeros behind the MAC: SLOTS have no padding")
    tail("cut", entry(1, secret("x"), bytes(64))[:-1], "a signature cut by a byte")
    tail("nine", b"".join(entry(5, secret(str(i)), b"x") for i in range(9)), "nine signatures")
    tail("twice", entry(5, secret("x"), b"x") * 2, "one key twice")
    tail("unknown", entry(5, secret("x"), b"x"), "an entry of an unknown algorithm is ignored", "success")
    bad("two_passwords", "format", "two password slots", recipients=[to_password(b"a"), to_password(b"b")], keys=["password: a"])
    bad("password_beside_unsigned", "format", "a password beside another slot in a file without a trusted signature",
        recipients=[to_password(PASSWORD.encode()), to_kek(KEK)], signers=[], extra=["allow: unsigned"])
    bad("password_beside_stranger", "format", "a password beside another slot in a file signed by a stranger",
        recipients=[to_password(PASSWORD.encode()), to_kek(KEK)], signers=[STRANGER], extra=["allow: unsigned"])
    bad("clear_in_protected", "format", "the key in clear beside a slot", recipients=[to_kek(KEK), in_clear()],
        extra=["allow: unprotected"])
    bad("clear_alone_in_protected", "format", "the key in clear without the flag", recipients=[in_clear()], extra=["allow: unprotected"])
    bad("clear_beside", "format", "an unprotected file with a second slot", recipients=[in_clear(), to_kek(KEK)], incompat=8,
        extra=["allow: unprotected"])
    bad("clear_missing", "format", "an unprotected file without the key in clear", incompat=8, extra=["allow: unprotected"])
    bad("post_quantum_classical", "format", "a classical slot where only post-quantum ones are allowed",
        recipients=[to_kek(KEK), to_x25519(x25519_public(IDENTITY))], incompat=2)
    vector("valid_post_quantum_only", "success", "symmetric slots are allowed where post-quantum ones are asked for", base(incompat=2))

    # 9: unwrapping.
    bad("none_for_key", "no_recipient", "no slot for the key", recipients=[to_kek(OTHER_KEK)])
    bad("none_for_identity", "no_recipient", "no slot for the identity", recipients=[to_x25519(x25519_public(OTHER_IDENTITY))],
        keys=[IDENTITY_LINE])
    bad("no_key_given", "no_recipient", "a key of another kind", keys=[IDENTITY_LINE])
    bad("password_not_given", "no_recipient", "only a password slot, and no password", recipients=[to_password(b"a")])
    body = lambda at: (lambda k, f, i, b: (k, f, i, b[:at] + bytes([b[at] ^ 1]) + b[at + 1:]))  # noqa: E731
    for name, at, expect in (("kek_id", 0, "no_recipient"), ("salt", 16, "unwrap"), ("commit", 48, "unwrap"), ("ct", 80, "unwrap"),
                             ("tag", 127, "unwrap")):
        slot(f"raw_{name}", expect, f"{name} of a raw key slot; MAC agrees", body(at))
    slot("raw_id", "unwrap", "slot_id is bound by the wrapping; MAC agrees", lambda k, f, i, b: (k, f, b"0123456789abcdef", b))
    x = {"recipients": [to_x25519(x25519_public(IDENTITY))], "keys": [IDENTITY_LINE]}
    for name, at, expect in (("hint", 0, "no_recipient"), ("ct", 36, "unwrap"), ("tag", 83, "unwrap")):
        slot(f"x25519_{name}", expect, f"{name} of an X25519 slot; MAC agrees", body(at), **x)

    def rehint(enc):
        return sha256(b"coffer/v1/hint", enc, x25519_public(IDENTITY))[:4] + enc
    slot("x25519_enc", "unwrap", "enc changed, hint agrees", lambda k, f, i, b: (k, f, i, rehint(x25519_public(secret("e"))) + b[36:]), **x)
    slot("x25519_zero", "unwrap", "enc of small order: the shared secret is all zeros",
         lambda k, f, i, b: (k, f, i, rehint(bytes(32)) + b[36:]), **x)
    slot("x25519_id", "unwrap", "slot_id is bound by the wrapping", lambda k, f, i, b: (k, f, b"0123456789abcdef", b), **x)
    bad("x25519_aad", "unwrap", "the wrapping has the context as AAD too", recipients=[_x25519_with_aad()], keys=[IDENTITY_LINE])
    bad("x25519_other_suite", "unwrap", "wrapped with the AEAD of suite 2", recipients=[_other_suite(to_x25519(x25519_public(IDENTITY)))],
        keys=[IDENTITY_LINE])
    bad("raw_other_suite", "unwrap", "wrapped with the AEAD of suite 2", recipients=[_other_suite(to_kek(KEK))])
    bad("raw_of_other_file", "unwrap", "a slot of another file", recipients=[_other_context(to_kek(KEK))])
    bad("x25519_of_other_file", "unwrap", "a slot of another file", recipients=[_other_context(to_x25519(x25519_public(IDENTITY)))],
        keys=[IDENTITY_LINE])
    p = {"recipients": [to_password(PASSWORD.encode())], "keys": [f"password: {PASSWORD}"]}
    bad("password_wrong", "unwrap", "a wrong password", recipients=p["recipients"], keys=["password: wrong horse"])
    bad("password_newline", "unwrap", "one newline is taken off, two are not", recipients=[to_password(b"a\n")], keys=["password: a"])
    for log_n, expect in ((13, "format"), (21, "format"), (18, "limit"), (20, "limit"), (15, "unwrap")):
        slot(f"password_log_n_{log_n}", expect, f"logN {log_n} in a slot made with 14",
             lambda k, f, i, b, n=log_n: (k, f, i, b[:16] + bytes([n]) + b[17:]), verify="success", **p)
    slot("password_commit", "unwrap", "commit of a password slot", body(17), **p)
    slot("password_ct", "unwrap", "ct of a password slot", body(60), **p)
    bad("password_unlabelled", "unwrap", "scrypt salted without its label", recipients=[_password_unlabelled()], keys=p["keys"])
    bad("costly_of_mirror", "header_auth", "a mirror added a password slot of logN 20; the reader has no password and pays nothing",
        patch=lambda d: _add_slot(d, 3, bytes(16) + b"\x14" + bytes(80)))
    bad("kms_of_mirror", "header_auth", "a mirror added a vendor slot with an address",
        patch=lambda d: _add_slot(d, 0x8000, b"kms://attacker.example/key"))
    bad("thousand_of_mirror", "header_auth", "a mirror added a thousand slots",
        patch=lambda d: _add_slot(d, 2, bytes(84), 1000))

    # 10: the key is the file's.
    bad("other_dek", "commitment", "the slot holds the key of another file", recipients=[_other_dek(to_kek(KEK))])
    bad("other_dek_x25519", "commitment", "the slot holds the key of another file", recipients=[_other_dek(to_x25519(x25519_public(IDENTITY)))],
        keys=[IDENTITY_LINE])
    vector("key_commit", "commitment", "key_commit is not the key's", base(on_header=set_header(key_commit=secret("x"))), verify="success")
    vector("file_id", "commitment", "another file_id under the same key_commit", base(on_header=set_header(file_id=secret("x")[:16])),
           verify="success")
    vector("salt", "commitment", "another salt under the same key_commit", base(on_header=set_header(salt=secret("x"))), verify="success")
    bad("mac", "header_auth", "a bit of the MAC", on_mac=lambda m, *_: bytes([m[0] ^ 1]) + m[1:])
    bad("mac_last_bit", "header_auth", "the last bit of the MAC", on_mac=lambda m, *_: m[:31] + bytes([m[31] ^ 0x80]))
    bad("mac_without_hdr", "header_auth", "the MAC leaves HDR out", on_mac=_mac(lambda hdr, region: b"coffer/v1/slots" + region))
    bad("mac_without_label", "header_auth", "the MAC has no label", on_mac=_mac(lambda hdr, region: hdr + region))
    bad("mac_of_hdr_only", "header_auth", "the MAC leaves SLOTS out", on_mac=_mac(lambda hdr, region: b"coffer/v1/slots" + hdr))
    bad("generation_changed", "header_auth", "another generation than the MAC's", patch=flip(lambda h: h["body_len"] + 8))
    two = [to_kek(KEK), to_x25519(x25519_public(IDENTITY))]
    bad("removed", "header_auth", "a recipient was taken out by somebody without the key", recipients=two, patch=_remove_slot)
    bad("swapped", "header_auth", "two slots exchanged by somebody without the key", recipients=[to_kek(KEK), to_kek(OTHER_KEK)],
        patch=_swap_slots)
    bad("other_slot_changed", "header_auth", "a bit in somebody else's slot", recipients=two, patch=flip(lambda h: h["body_len"] + 64 + 152 + 40))
    for name in ("minor", "compat", "created", "model_version", "not_after", "file_id"):
        vector(f"unsigned_{name}", "header_auth", f"{name} changed in a file without a signature", base(signers=[]),
               extra=["allow: unsigned"], patch=flip(OFFSETS[name] + (4 if name == "not_after" else 0)))
    vector("unsigned_content_id_fixed", "unwrap", "HDR changed and content_id of SLOTS made to fit", base(signers=[]), verify="success",
           extra=["allow: unsigned"], patch=lambda d: _fix_content_id(flip(OFFSETS["created"])(d)))
    vector("stripped", "signature", "signatures taken off", base(), patch=put(512, bytes(3584)))
    slots_of_distributors()
    grants()
    vector("licence_required", "licence", "a licence is required, and the reader has none", base(incompat=4), verify="success")


LICENSOR, PRODUCT_KEY = Signer(secret("licensor")), secret("product key")


def licences():
    """5.8"""
    file = base(incompat=4, recipients=[to_kek(PRODUCT_KEY)])
    net = sha256(b"coffer/v1/model", NAME.encode())[:16]
    claims = {"issued": 1_700_000_000, "product": "detector", "holder": "somebody", "not_before": 1_700_000_000,
              "not_after": 1_800_000_000, "grace": 1000, "models": list(net), "min_version": 2, "max_version": 5}
    salt = secret("host salt")
    host = {"kind": "machine-id", "salt": list(salt), "mac": list(hmac_sha256(salt, b"abc"))}

    def order(claims=(), **changes):
        fields = {"product_keys": [PRODUCT_KEY], "recipients": [to_x25519(x25519_public(IDENTITY))], "signers": [LICENSOR], **changes}
        return licence.Order(claims={**base_claims, **dict(claims)}, **fields)
    base_claims = claims

    def case(name, expect, comment, *orders, file=file, keys=(IDENTITY_LINE,), extra=(), time=1_750_000_000,
             licensor=LICENSOR.public, **changes):
        data = [o if isinstance(o, bytes) else o.write() for o in orders or [order(**changes)]]
        vector(f"licence_{name}", expect, comment, file, verify="success", keys=[*keys, *(f"licence: {d.hex()}" for d in data)],
               extra=[f"licensor: {licensor.hex()}", f"time: {time}", *extra])

    def claim(name, expect, comment, time=1_750_000_000, extra=(), **fields):
        case(name, expect, comment, order(fields), time=time, extra=extra)
    ok, bad = "success", "licence"
    good = order().write()
    case("valid", ok, "a licence for the device")
    case("valid_chacha_wraps", ok, "wraps of suite 2 for a file of suite 1", suite=2)
    case("valid_second", ok, "the second of two licences fits", order({"models": list(bytes(16))}), order())
    case("valid_two_wraps", ok, "the key wrapped for two devices", recipients=[to_x25519(x25519_public(OTHER_IDENTITY)),
                                                                              to_x25519(x25519_public(IDENTITY))])
    case("valid_two_products", ok, "two product keys, one of them the file's", product_keys=[OTHER_KEK, PRODUCT_KEY])
    claim("valid_open_end", ok, "no dates and no highest version", not_before=0, not_after=0, max_version=0, grace=0)
    claim("valid_grace", ok, "the last second of the grace", time=1_800_001_000)
    claim("valid_host", ok, "bound to this host", hosts=[host], hosts_needed=1, extra=["host: machine-id= abc\t"])
    claim("valid_product", ok, "for the product that is asked for", extra=["product: detector"])
    vector("licence_product_key_alone", bad, "the product key itself opens nothing without a licence", file, verify="success",
           keys=[f"kek: {PRODUCT_KEY.hex()}"], extra=[f"licensor: {LICENSOR.public.hex()}"])
    case("product_key_beside", "no_recipient", "the product key itself opens nothing beside a licence for another device",
         recipients=[to_x25519(x25519_public(OTHER_IDENTITY))], keys=[IDENTITY_LINE, f"kek: {PRODUCT_KEY.hex()}"])
    claim("expired", bad, "a second after the grace", time=1_800_001_001)
    claim("not_yet", bad, "a second too early", time=1_699_999_999)
    claim("model", bad, "for another model", models=list(secret("x")[:16]))
    claim("version_low", bad, "for newer versions", min_version=4)
    claim("version_high", bad, "for older versions", max_version=2)
    claim("product", bad, "for another product", extra=["product: other"])
    claim("host", bad, "bound to another host", hosts=[host], hosts_needed=1, extra=["host: machine-id=abd"])
    claim("host_unknown", bad, "bound to a host, and the reader knows nothing of its own", hosts=[host], hosts_needed=1)
    case("stranger", bad, "signed by a stranger", signers=[STRANGER])
    case("publisher", bad, "signed by the publisher, who is no licensor", signers=[VENDOR])
    case("unsigned", bad, "not signed", signers=[])
    case("signature", bad, "a bit of the signature", flip(len(good) - 3)(good))
    case("claims_flipped", bad, "a bit of the claims", flip(80)(good))
    case("id_flipped", bad, "a bit of licence_id", flip(16)(good))
    case("label", bad, "signed under the label of SLOTS", on_entries=lambda e, start: [LICENSOR.entry("coffer/v1/slots-sig", sha256(start))])
    case("head_magic", bad, "another magic", on_head=lambda h: {**h, "magic": b"COFT"})
    case("head_version", bad, "version 2", on_head=lambda h: {**h, "version": 2})
    case("head_reserved", bad, "a reserved byte", on_head=lambda h: {**h, "reserved": bytes(31) + b"\1"})
    case("cut", bad, "cut by a byte", good[:-1])
    case("extended", bad, "a byte behind it", good + b"\0")
    case("wraps_extended", bad, "a byte behind the last wrap; signed", on_head=lambda h: {**h, "wraps_len": h["wraps_len"] + 1},
         on_wraps_bytes=lambda w: w + b"\0")
    case("wrap_kind", bad, "a product key wrapped for a raw key", recipients=[to_kek(KEK)], keys=[KEK_LINE])
    case("wrap_flipped", "unwrap", "a bit of a wrap; signed", on_wraps=lambda w: [(*w[0][:3], w[0][3][:-1] + bytes([w[0][3][-1] ^ 1]))])
    case("wrap_of_other", "unwrap", "a wrap of another licence; signed", on_bound=lambda _: secret("other licence"))
    claim("kek_id", "unwrap", "the wrap holds another key than the claims name", kek_ids=list(bytes(16)))
    case("other_product_key", "no_recipient", "the product key of another product", product_keys=[OTHER_KEK])
    case("other_device", "no_recipient", "for another device", recipients=[to_x25519(x25519_public(OTHER_IDENTITY))])
    for name, comment, fields in (
            ("format", "format 2", {"format": 2}), ("needs", "needs something unknown", {"needs": ["x"]}),
            ("suite", "suite 3", {"suite": 3}), ("no_product", "no product", {"product": ""}),
            ("product_control", "a control character in the product", {"product": "a\n"}),
            ("dates", "not_after before not_before", {"not_after": 1_699_999_999, "grace": 10**8}),
            ("grace", "a grace of eleven years", {"grace": 3661 * 86400}), ("no_models", "no model", {"models": []}),
            ("models_odd", "15 bytes of model ids", {"models": list(net[:15])}),
            ("models_twice", "a model twice", {"models": list(net * 2)}),
            ("versions", "max_version below min_version", {"min_version": 3, "max_version": 2}),
            ("features_twice", "a feature twice", {"features": ["a", "a"]}),
            ("hosts_needed", "more hosts needed than there are", {"hosts": [host], "hosts_needed": 2}),
            ("hosts_none_needed", "hosts, and none needed", {"hosts": [host]}),
            ("host_kind", "a kind of host in capitals", {"hosts": [{**host, "kind": "Machine"}], "hosts_needed": 1}),
            ("host_salt", "a salt of 31 bytes", {"hosts": [{**host, "salt": [0] * 31}], "hosts_needed": 1}),
            ("host_salt_second", "a salt of 31 bytes; another value is enough", {"hosts": [host, {**host, "salt": [0] * 31}], "hosts_needed": 1}),
            ("host_mac_second", "a MAC of 31 bytes; another value is enough", {"hosts": [host, {**host, "mac": [0] * 31}], "hosts_needed": 1}),
            ("kek_ids_missing", "fewer kek_ids than wraps", {"kek_ids": []})):
        case(f"claims_{name}", bad, comment + "; signed", order(fields), extra=["host: machine-id=abc"])
    case("claims_identifier", bad, "another file identifier; signed", on_claims=lambda b: b[:4] + b"COLD" + b[8:])
    other = grant(file.write(), DEK, [to_x25519(x25519_public(IDENTITY))], Random("licence grant"))
    case("grant", "format", "a grant to the device beside the licence: a file that asks for one is reached through it alone", order(),
         keys=[IDENTITY_LINE, f"grant: {other.hex()}"])
    product = grant(base(incompat=4, recipients=[to_kek(OTHER_KEK)]).write(), DEK, [to_kek(PRODUCT_KEY)], Random("licence grant"))
    case("grant_product_key", ok, "the product key's slot is in a grant", order(), file=base(incompat=4, recipients=[to_kek(OTHER_KEK)]),
         keys=[IDENTITY_LINE, f"grant: {product.hex()}"])
    mixed = base(incompat=4, recipients=[to_kek(PRODUCT_KEY), to_x25519(x25519_public(IDENTITY))])
    vector("licence_other_slots", "format", "a slot that is no product key beside one", mixed, keys=[IDENTITY_LINE, f"licence: {good.hex()}"],
           extra=[f"licensor: {LICENSOR.public.hex()}", "time: 1750000000"])
    vector("licence_unprotected", "format", "a licence asked for by an unprotected file", base(incompat=12, recipients=[in_clear()]),
           keys=[IDENTITY_LINE, f"licence: {good.hex()}"], extra=[f"licensor: {LICENSOR.public.hex()}", "time: 1750000000", "allow: unprotected"])


def slots_of_distributors():
    """Incompat 0x1."""
    line = [f"distributor: {DISTRIBUTOR.public.hex()}"]

    def case(name, expect, comment, verify=None, extra=(), **changes):
        fields = {"incompat": 1, "distributors": [DISTRIBUTOR], **changes}
        vector(f"distributor_{name}", expect, comment, base(**fields), verify=verify, extra=[*line, *extra])
    bad = "signature"
    case("valid", "success", "SLOTS signed by a distributor")
    case("valid_two", "success", "SLOTS signed by a distributor and by a stranger", distributors=[STRANGER, DISTRIBUTOR])
    case("none", bad, "SLOTS without a signature", distributors=[])
    case("stranger", bad, "SLOTS signed by a stranger", distributors=[STRANGER])
    case("publisher", bad, "SLOTS signed by the publisher, who is no distributor", distributors=[VENDOR])
    case("flipped", bad, "a bit of the distributor's signature", on_slots_entries=lambda e, _: [e[0][:-1] + bytes([e[0][-1] ^ 0x10])])
    case("alg", bad, "the distributor's entry under another algorithm", on_slots_entries=lambda e, _: [le2(2) + e[0][2:]])
    case("label", bad, "signed under the label of HDR", on_slots_entries=lambda e, region: [
        DISTRIBUTOR.entry("coffer/v1/sig", sha256(region))])
    case("without_mac", bad, "the signature leaves the MAC out", on_slots_entries=lambda e, region: [
        DISTRIBUTOR.entry("coffer/v1/slots-sig", sha256(region[:-32]))])
    case("other_slots", bad, "the signature of other SLOTS", on_slots_entries=lambda e, _: [DISTRIBUTOR.entry("coffer/v1/slots-sig", secret("x"))])
    data = base(incompat=1, distributors=[DISTRIBUTOR]).write()
    vector("distributor_slots_changed", bad, "a bit of SLOTS changed after signing", data, extra=line, patch=flip(len(data) - 100 - 32 - 5))
    vector("distributor_mac_changed", bad, "the MAC changed after signing", data, extra=line, patch=flip(len(data) - 100 - 5))
    case("mac", "header_auth", "signed, but the MAC is wrong", "success", on_mac=lambda m, *_: bytes(32))
    vector("distributor_as_publisher", "untrusted", "HDR signed by a distributor, who is no publisher", base(signers=[DISTRIBUTOR]), extra=line)


def grants():
    """5.7.5"""
    closed = base(recipients=[to_kek(OTHER_KEK)])
    data = closed.write()
    to_me = [to_x25519(x25519_public(IDENTITY))]
    random = Random("grants")

    def case(name, expect, comment, block, file=closed, verify="success", extra=(), keys=(IDENTITY_LINE,)):
        vector(f"grant_{name}", expect, comment, file, verify=verify, keys=[*keys, f"grant: {block.hex()}"], extra=extra)

    def make(recipients=to_me, file=data, dek=DEK, **changes):
        return grant(file, dek, recipients, random, **changes)
    good = make()
    case("valid", "success", "the file has no slot for the key, a grant has", good)
    case("valid_kek", "success", "a grant to a raw key", make([to_kek(KEK)]), keys=[KEK_LINE])
    case("valid_chacha", "success", "suite 2", make(file=tiny(suite=2, recipients=[to_kek(OTHER_KEK)]).write()),
         file=tiny(suite=2, recipients=[to_kek(OTHER_KEK)]))
    case("valid_several_slots", "success", "the second slot of a grant", make([to_kek(OTHER_KEK), *to_me]))
    case("not_mine", "no_recipient", "a grant to somebody else", make([to_x25519(x25519_public(OTHER_IDENTITY))]))
    other = base(recipients=[to_kek(OTHER_KEK)], model_version=4).write()
    case("of_other_file", "no_recipient", "a grant of another file is passed over", make(file=other))
    case("slot_damaged", "unwrap", "a bit of the wrapped key", flip(64 + 24 + 40)(good))
    case("mac", "header_auth", "a bit of the grant's MAC", flip(len(good) - 1)(good))
    case("mac_of_file", "header_auth", "the MAC of the file's SLOTS in a grant", good[:-32] + data[-32:])
    case("other_dek", "commitment", "the grant holds the key of another file", make(dek=secret("other dek")))
    case("file_mac", "header_auth", "a good grant, but the MAC of the file's SLOTS is wrong", good,
         file=base(recipients=[to_kek(OTHER_KEK)], on_mac=lambda m, *_: bytes(32)))
    case("content_id_forged", "unwrap", "a grant of another file with its content_id replaced",
         (lambda g: g[:24] + good[24:56] + g[56:])(make(file=other)))
    for name, comment, block in (
            ("slots_as_grant", "SLOTS of a file given as a grant", data[header_of(data)["body_len"]:]),
            ("flag_missing", "a grant without its flag", good[:20] + le4(0) + good[24:]),
            ("generation", "a grant of generation 1", good[:8] + le8(1) + good[16:]),
            ("password", "a password slot in a grant", make([to_password(PASSWORD.encode())])),
            ("clear", "the key in clear in a grant", make([in_clear()])),
            ("cut", "a grant cut by a byte", good[:-1]), ("extended", "a byte behind a grant", good + b"\0"),
            ("short", "a grant of 95 bytes", good[:95]), ("empty_slots", "a grant without a slot", good[:6] + le2(0) + good[8:])):
        case(name, "format", comment, block)
    case("version", "unsupported", "a grant of version 2", good[:4] + le2(2) + good[6:])
    case("large", "format", "a grant of more than 1 MiB", make([*to_me, *[as_is(99, bytes(8192))] * 128]))
    quantum = base(recipients=[to_kek(OTHER_KEK)], incompat=2)
    case("classical", "format", "a classical slot in a grant for a file that allows none", make(file=quantum.write()), file=quantum)
    case("symmetric", "success", "a raw key in a grant for a file that allows no classical slots",
         make([to_kek(KEK)], file=quantum.write()), file=quantum, keys=[KEK_LINE])
    line = [f"distributor: {DISTRIBUTOR.public.hex()}"]
    signed = base(recipients=[to_kek(OTHER_KEK)], incompat=1, distributors=[DISTRIBUTOR])
    by = lambda *who: make(file=signed.write(), distributors=list(who))  # noqa: E731
    case("signed", "success", "a grant signed by a distributor", by(DISTRIBUTOR), file=signed, extra=line)
    case("unsigned", "signature", "a grant without a signature, for a file that asks for one", by(), file=signed, extra=line)
    case("signed_by_stranger", "signature", "a grant signed by a stranger", by(STRANGER), file=signed, extra=line)
    case("signature_flipped", "signature", "a bit of the distributor's signature", flip(len(by(DISTRIBUTOR)) - 9)(by(DISTRIBUTOR)),
         file=signed, extra=line)
    case("of_other_file_unsigned", "no_recipient", "a grant of another file is passed over before its signature is asked for",
         make(file=other), file=signed, extra=line)


def le4(number):
    return struct.pack("<I", number)


def _other_suite(recipient):
    kind, body = recipient
    return kind, lambda suite, context, dek, random: body(3 - suite, context, dek, random)


def _other_context(recipient):
    kind, body = recipient
    return kind, lambda suite, context, dek, random: body(suite, context[:-32] + secret("other file"), dek, random)


def _other_dek(recipient):
    kind, body = recipient
    return kind, lambda suite, context, dek, random: body(suite, context, secret("other dek"), random)


def _x25519_with_aad():
    import reader

    def body(suite, context, dek, random):
        own, public = random(32), x25519_public(IDENTITY)
        enc = x25519_public(own)
        key, nonce = reader.hpke_key(reader.X25519_KEM, suite, reader.x25519_shared(own, public), enc, public, context)
        return sha256(b"coffer/v1/hint", enc, public)[:4] + enc + reader.AEADS[suite](key).encrypt(nonce, dek, context)
    return 2, body


def _password_unlabelled():
    import hashlib
    import writer

    def body(suite, context, dek, random):
        salt = random(16)
        ikm = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=1 << 14, r=8, p=1, maxmem=0x7FFFFFFE, dklen=32)
        commit, ct = writer._wrap(suite, ikm, salt, context, dek)
        return salt + bytes([14]) + commit + ct
    return 3, body


def _mac(message):
    """A hook that makes the MAC over something else; Container hands it the right one, HDR and SLOTS."""
    def hook(mac, hdr, region):
        keys = FileKeys(DEK, 1, SALT, header_of(hdr)["file_id"])
        return hmac_sha256(keys.slots_mac, message(hdr, region))
    return hook


def _add_slot(data, kind, body, count=1):
    at = header_of(data)["body_len"]
    region, mac = data[at:-32], data[-32:]
    added = b"".join(struct.pack("<HHI16s", kind, 0, len(body), b"mirror" + le8(i) + b"..") + body for i in range(count))
    n, total = struct.unpack_from("<H", region, 6)[0], len(region) + len(added) + 32
    region = region[:6] + le2(n + count) + region[8:16] + le4(total) + region[20:] + added
    return data[:at] + region + mac


def _remove_slot(data):
    at = header_of(data)["body_len"]
    region = data[at:]
    kept = region[64:64 + 152]
    return data[:at] + region[:6] + le2(1) + region[8:16] + le4(64 + 152 + 32) + region[20:64] + kept + region[-32:]


def _swap_slots(data):
    at = header_of(data)["body_len"] + 64
    return data[:at] + data[at + 152:at + 304] + data[at:at + 152] + data[at + 304:]


def _fix_content_id(data):
    at = header_of(data)["body_len"] + 24
    return data[:at] + sha256(data[:512]) + data[at + 32:]


# --- step 11: MANIFEST, and 13 to 16: TABLE and PAYLOAD --------------------------------------------------------------

def manifest_and_payload():
    def bad(name, expect, comment, verify=None, **changes):
        vector(name, expect, comment, base(**changes), verify=verify)
    auth = "manifest_auth"
    vector("manifest_flipped", auth, "a bit of MANIFEST", base(), patch=flip(4096 + 100))
    vector("manifest_last_byte", auth, "the last byte of MANIFEST", base(), patch=flip(8191, 0x80))
    vector("manifest_hash", auth, "manifest_hash is another, signed", base(on_header=set_header(manifest_hash=secret("x"))))
    good = "success"
    bad("manifest_sealed_flipped", auth, "changed after sealing, hash and signature agree", good,
        on_sealed_manifest=lambda b: bytes([b[0] ^ 1]) + b[1:])
    bad("manifest_tag_flipped", auth, "the tag changed, hash and signature agree", good,
        on_sealed_manifest=lambda b: b[:-1] + bytes([b[-1] ^ 1]))
    fields = {"label": (0, 18), "suite": (18, 2), "file_id": (20, 16), "model_id": (36, 16), "model_version": (52, 8), "payload_len": (60, 8),
              "not_after": (68, 8)}
    for name, (at, _) in fields.items():
        bad(f"manifest_aad_{name}", auth, f"sealed for another {name}", good,
            on_manifest_aad=lambda a, at=at: a[:at] + bytes([a[at] ^ 1]) + a[at + 1:])
    bad("manifest_aad_none", auth, "sealed without associated data", good, on_manifest_aad=lambda a: b"")
    bad("manifest_relabelled", auth, "model_version raised in HDR by a holder of the key and signing key", good,
        on_header=set_header(model_version=4))

    # 13
    h = header_of(base().write())
    vector("table_padding_first", "format", "the first byte behind TABLE", base(), patch=flip(lambda h: h["table_off"] + h["table_len"]))
    vector("table_padding_last", "format", "the last byte before PAYLOAD", base(), patch=flip(lambda h: h["payload_off"] - 1))
    vector("table_tag", "tree", "a tag in TABLE", base(), patch=flip(lambda h: h["table_off"]))
    vector("table_leaf", "tree", "a leaf in TABLE", base(), patch=flip(lambda h: h["table_off"] + 16))
    vector("table_rows_swapped", "tree", "two rows of TABLE exchanged", base(), patch=_swap_rows)
    bad("table_root", "tree", "table_root is another, signed", on_header=set_header(table_root=secret("x")))
    bad("table_root_without_n", "tree", "table_root leaves n_chunks out", on_root=_root(lambda n, t: sha256(b"coffer/v1/table", t)))
    bad("table_root_with_padding", "tree", "table_root takes the padding in",
        on_root=_root(lambda n, t: table_root(n, t.ljust(PAGE, b"\0"))))
    bad("table_root_big_endian", "tree", "n_chunks big-endian in table_root",
        on_root=_root(lambda n, t: sha256(b"coffer/v1/table", n.to_bytes(8, "big"), t)))

    # 15
    for name, at in (("first", lambda h: h["payload_off"]), ("boundary", lambda h: h["payload_off"] + 16383),
                     ("second_chunk", lambda h: h["payload_off"] + 16384), ("last", lambda h: h["body_len"] - 1)):
        vector(f"chunk_flipped_{name}", "tree", f"a bit of PAYLOAD: {name}", base(), patch=flip(at))
        vector(f"chunk_flipped_{name}_aead_only", "chunk_auth", f"a bit of PAYLOAD: {name}; the reader compares no leaves", base(),
               patch=flip(at), verify="tree", extra=["integrity: aead-only"])
    sized = {"manifest": {**small_manifest(), "tensors": [{"name": "w", "dtype": FLOAT32, "shape": [3]}, {"dtype": 2, "shape": [32768 - 64]}]},
             "items": [small_items()[0], pattern(32768 - 64, 64)]}
    vector("chunks_swapped", "tree", "two chunks exchanged", base(**sized), patch=_swap_chunks)
    vector("chunks_repeated", "tree", "the first chunk again in the place of the second", base(**sized), patch=_repeat_chunk)
    vector("chunk_dropped", "format", "a chunk taken out", base(**sized), patch=_drop_chunk)
    vector("chunk_dropped_zeros", "tree", "a chunk replaced by zeros", base(**sized),
           patch=put(lambda h: h["payload_off"] + 16384, bytes(16384)))
    vector("chunks_swapped_with_rows", "tree", "two chunks and their rows of TABLE exchanged", base(**sized),
           patch=lambda d: _swap_rows(_swap_chunks(d)))
    swap = lambda x: [x[1], x[0]]  # noqa: E731
    vector("chunks_swapped_resigned", "chunk_auth", "two sealed chunks exchanged with their tags, leaves, root and signature agree",
           base(**sized, on_cipher=swap, on_table=lambda rows, _: [(rows[1][0], rows[0][1]), (rows[0][0], rows[1][1])]), verify=good)
    vector("chunk_of_other_file", "tree", "a chunk of another file of the same keys", base(**sized),
           patch=put(lambda h: h["payload_off"], base(**{**sized, "items": [small_items()[0], pattern(32704, 65)]}).write()[h["payload_off"]:][:16384]))
    bad("leaf_flipped", "tree", "a leaf changed, root and signature agree", on_table=_row(1, lambda t, x: (t, bytes([x[0] ^ 1]) + x[1:])))
    bad("leaf_without_index", "tree", "leaves without their index", on_table=_rows(lambda i, c, t: (t, sha256(b"coffer/v1/leaf", c))))
    bad("leaf_big_endian", "tree", "leaves with a big-endian index",
        on_table=_rows(lambda i, c, t: (t, sha256(b"coffer/v1/leaf", i.to_bytes(8, "big"), c))))
    bad("leaf_from_1", "tree", "indices of leaves start at 1", on_table=_rows(lambda i, c, t: (t, leaf(i + 1, c))))
    bad("leaf_with_tag", "tree", "leaves over ciphertext and tag", on_table=_rows(lambda i, c, t: (t, leaf(i, c + t))))
    bad("leaf_unlabelled", "tree", "leaves without their label", on_table=_rows(lambda i, c, t: (t, sha256(le8(i), c))))
    bad("tag_flipped", "chunk_auth", "a tag changed, root and signature agree", good,
        on_table=_row(0, lambda t, x: (bytes([t[0] ^ 1]) + t[1:], x)))
    bad("tag_flipped_last", "chunk_auth", "the last bit of the last tag changed, root and signature agree", good,
        on_table=_row(1, lambda t, x: (t[:15] + bytes([t[15] ^ 0x80]), x)))
    bad("tags_swapped", "chunk_auth", "two tags exchanged, root and signature agree", good,
        on_table=lambda rows, _: [(rows[1][0], rows[0][1]), (rows[0][0], rows[1][1])])
    fields = {"label": 0, "suite": 15, "file_id": 17, "payload_len": 33, "index": 41, "last": 49}
    for name, at in fields.items():
        bad(f"chunk_aad_{name}", "chunk_auth", f"chunks sealed for another {name}", good,
            on_aad=lambda a, at=at: a[:at] + bytes([a[at] ^ 1]) + a[at + 1:])
    bad("chunk_aad_none", "chunk_auth", "chunks sealed without associated data", good, on_aad=lambda a: b"")
    bad("chunk_nonce_base", "chunk_auth", "every chunk sealed with the base as nonce", good,
        on_nonce=lambda n: FileKeys(DEK, 1, SALT, header_of(base().write())["file_id"]).payload[32:])
    bad("chunk_nonce_little_endian", "chunk_auth", "little-endian index in nonces", good, on_nonce=_little_endian_nonce)
    vector("gcm_same_tag", "tree", "ciphertext changed by who knows the key, under the same GCM tag (5.6)", base(), patch=_same_tag)

    # 16
    def finish(name, comment, change_items=None, change_payload=None, **changes):
        c = rich(on_items=change_items or (lambda i: i), on_payload=change_payload or (lambda p: p), **changes)
        vector(f"payload_{name}", "manifest_invalid", comment + "; authentic", c, verify="success")

    def item(index, data):
        return lambda items: [*items[:index], data, *items[index + 1:]]
    finish("gap", "a byte between two items is not zero", change_payload=lambda p: p[:63] + b"\1" + p[64:])
    finish("gap_last", "the last byte before an item is not zero", change_payload=lambda p: p[:127] + b"\1" + p[128:])
    finish("tail", "a byte behind the last item is not zero", hide_size=True, change_payload=lambda p: p[:-1] + b"\1")
    finish("bool", "a boolean of 2", item(2, b"\0\1\2"))
    finish("bool_255", "a boolean of 255", item(2, b"\xff\1\1"))
    good_strings = rich_items()[1]
    finish("string_first", "the first offset is not 0", item(1, le8(1) + good_strings[8:]))
    finish("string_descending", "offsets descend", item(1, good_strings[:16] + le8(1) + good_strings[24:]))
    finish("string_beyond", "an offset beyond the text", item(1, good_strings[:8] + le8(2**63) + good_strings[16:]))
    finish("string_begins_beyond", "strings begin beyond the text", item(1, le8(0) + le8(99) * 3 + b"ab"))
    finish("string_left_over", "text behind the last string", item(1, good_strings + b"x"))
    finish("string_utf8", "a string that is not UTF-8", item(1, strings(b"\xff\xfe", b"", b"")))
    finish("string_split", "a character split between two strings", item(1, strings(b"a\xc3", b"\xbc", b"b")))


def _swap_rows(data):
    at = header_of(data)["table_off"]
    return data[:at] + data[at + 48:at + 96] + data[at:at + 48] + data[at + 96:]


def _swap_chunks(data):
    at = header_of(data)["payload_off"]
    return data[:at] + data[at + 16384:at + 32768] + data[at:at + 16384] + data[at + 32768:]


def _repeat_chunk(data):
    at = header_of(data)["payload_off"]
    return data[:at + 16384] + data[at:at + 16384] + data[at + 32768:]


def _drop_chunk(data):
    at = header_of(data)["payload_off"]
    return data[:at] + data[at + 16384:]


def _root(compute):
    def hook(_, n, table):
        return compute(n, table)
    return hook


def _row(index, change):
    return lambda rows, _: [change(*row) if i == index else row for i, row in enumerate(rows)]


def _rows(make):
    def hook(rows, chunks):
        return [make(i, chunk, tag) for i, (chunk, (tag, _)) in enumerate(zip(chunks, rows))]
    return hook


def _little_endian_nonce(nonce):
    keys = FileKeys(DEK, 1, SALT, header_of(base(on_nonce=lambda n: n).write())["file_id"])
    first = keys.payload[32:]
    index = int.from_bytes(bytes(a ^ b for a, b in zip(nonce, first)), "big")
    return bytes(a ^ b for a, b in zip(first, index.to_bytes(12, "little")))


def _same_tag(data):
    """Adds d to one block of ciphertext and d times H to the next: GHASH, and so the tag, stay the same."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    h = header_of(data)
    keys = FileKeys(DEK, 1, SALT, h["file_id"])
    encryptor = Cipher(algorithms.AES(keys.payload[:32]), modes.ECB()).encryptor()
    hash_key = int.from_bytes(encryptor.update(bytes(16)), "big")

    def times(x, y):
        product = 0
        for i in range(127, -1, -1):
            if x >> i & 1:
                product ^= y
            y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
        return product
    delta = 1 << 127
    at = h["payload_off"] + 256
    blocks = [int.from_bytes(data[at + 16 * i:at + 16 * i + 16], "big") for i in range(2)]
    blocks = [blocks[0] ^ delta, blocks[1] ^ times(delta, hash_key)]
    return data[:at] + b"".join(b.to_bytes(16, "big") for b in blocks) + data[at + 32:]


# --- step 12: the rules of the manifest ------------------------------------------------------------------------------

def manifest_rules():
    invalid = "manifest_invalid"

    def rule(name, comment, change, expect=invalid, items=None, **changes):
        """`change` edits the manifest in place, before offsets are filled in."""
        def edit(m):
            m = rich_manifest()
            change(m)
            return m
        vector(f"rule_{name}", expect, comment + "; authentic", rich(on_records=edit, on_items=items or (lambda i: i), **changes),
               verify="success")

    def placed(name, comment, change, expect=invalid, **changes):
        """`change` edits the manifest after offsets and sizes were filled in."""
        def edit(m):
            change(m)
            return m
        vector(f"rule_{name}", expect, comment + "; authentic", rich(on_manifest=edit, **changes), verify="success")

    unsupported, limit = "unsupported", "limit"
    id_of_net = sha256(b"coffer/v1/model", NAME.encode())[:16]
    same_id = {"on_header": set_header(model_id=id_of_net)}

    # Head.
    rule("format_0", "format 0", lambda m: m.update(format=0), unsupported)
    rule("format_2", "format 2", lambda m: m.update(format=2), unsupported)
    sealed_as = lambda aad: aad[:36] + id_of_net + aad[52:]  # noqa: E731
    rule("name_other", "the name is not that of model_id", lambda m: m.update(name="com.example.other"), **same_id, on_manifest_aad=sealed_as)
    rule("name_missing", "no name under a model_id", lambda m: m.update(name=""), **same_id, on_manifest_aad=sealed_as)
    rule("feature", "an unknown feature", lambda m: m["claims"].update(features=["sparse"]), unsupported)
    rule("min_runtime", "needs level 2", lambda m: m["claims"].update(min_runtime=2), unsupported)
    rule("no_graph", "no graph", lambda m: m.update(graphs=[], states=[]))
    rule("constants", "more constants than tensors", lambda m: m.update(constants=6))
    rule("metadata_twice", "a metadata key twice", lambda m: m["metadata"].append({"key": "author", "value": "x"}))

    # Text.
    rule("utf8", "a producer that is not UTF-8", lambda m: m.update(producer=b"\xff"))
    rule("utf8_overlong", "an overlong form", lambda m: m.update(producer=b"\xc0\xaf"))
    rule("utf8_surrogate", "a surrogate", lambda m: m["metadata"][0].update(value=b"\xed\xa0\x80"))
    rule("utf8_in_name", "a value name that is not UTF-8", lambda m: m["graphs"][0]["values"][6].update(name=b"\x80"))
    rule("name_nul", "a NUL in a node name", lambda m: m["graphs"][0]["nodes"][0].update(name="a\0b"))
    rule("name_1025", "a graph name of 1,025 bytes", lambda m: m["graphs"][0].update(name="n" * 1025), limit)
    rule("name_1024", "a graph name of 1,024 bytes", lambda m: m["graphs"][0].update(name="n" * 1024), "success")
    rule("copies", "a long symbol used at every one of many dims", _many_dims)
    rule("tables", "one table referred to 202,500 times", _many_tables)

    # Items.
    placed("offset_first", "the first item does not start at 0", lambda m: [t.update(offset=t["offset"] + 64) for t in m["tensors"]])
    placed("offset_gap", "an item 64 bytes later", lambda m: m["tensors"][1].update(offset=128))
    between = {"on_payload": lambda p: p[:64] + bytes(64) + p[64:]}
    placed("offset_gap_zeros", "64 zeros more than needed before an item", lambda m: [
        item.update(offset=item["offset"] + 64) for item in m["tensors"][1:] + m["blobs"]], **between)
    zeros = lambda items: [*items[:4], bytes(12), *items[5:]]  # noqa: E731
    placed("offset_overlap_zeros", "a tensor of zeros at the place of another one", lambda m: m["tensors"][4].update(offset=0), on_items=zeros)
    placed("nbytes_wraps_back", "a blob whose end wraps, and another one at its place", _wrap_back)
    placed("offset_unaligned", "an item at 65", lambda m: m["tensors"][1].update(offset=65))
    placed("offset_overlap", "two items at one place", lambda m: m["tensors"][1].update(offset=0))
    placed("offset_wraps", "an offset near 2^64", lambda m: m["tensors"][1].update(offset=2**64 - 64))
    placed("offset_order", "two items exchanged", _exchange_items)
    placed("offset_blob", "a blob at the place of a tensor", lambda m: m["blobs"][0].update(offset=0))
    placed("nbytes_wraps", "a blob of 2^64 - 1 bytes", lambda m: m["blobs"][0].update(nbytes=2**64 - 1))
    placed("nbytes_more", "a tensor a byte longer than its shape", lambda m: m["tensors"][0].update(nbytes=13))
    placed("nbytes_less", "a tensor a byte shorter than its shape", lambda m: m["tensors"][0].update(nbytes=11))
    rule("payload_longer", "bytes behind the last item that padme does not explain", lambda m: None, on_payload=lambda p: p + bytes(64))
    rule("payload_shorter", "the last item ends beyond the payload", lambda m: m.update(blobs=m["blobs"][:1]),
         items=lambda i: i[:6], on_payload=lambda p: p[:-1])

    # Tensors.
    def tensor(case, comment, expect=invalid, index=0, **fields):
        rule(f"tensor_{case}", comment, lambda m: m["tensors"][index].update(fields), expect)
    tensor("dtype_0", "element type 0", unsupported, dtype=0)
    tensor("dtype_27", "element type 27", unsupported, dtype=27)
    tensor("dtype_wrong_size", "double in the bytes of float", dtype=11)
    tensor("encoding", "a reserved encoding", unsupported, encoding=2)
    tensor("narrow_strings", "text stored as int8", index=1, encoding=1, stored=3)
    tensor("narrow_strings_undefined", "text in encoding 1, without a stored type", index=1, encoding=1)
    tensor("stored_strings", "text with a stored type in encoding 0", index=1, stored=3)
    tensor("stored_plain", "a stored type in encoding 0", index=3, stored=3)

    def narrow(case, comment, expect=invalid, size=70, **fields):
        rule(f"tensor_narrow{case}", comment, lambda m: m["tensors"][3].update({"encoding": 1, "stored": 3, **fields}), expect,
             items=lambda i: i[:3] + [i[3][:size]] + i[4:])
    narrow("", "int64 stored as int8", "success")
    narrow("_pair", "int64 stored as float32", size=280, stored=1)
    narrow("_same", "int64 stored as int64", size=560, stored=7)
    narrow("_undefined", "encoding 1 without a stored type", size=560, stored=0)
    narrow("_more", "a byte more than the shape has elements", size=71)
    narrow("_less", "a byte less than the shape has elements", size=69)
    tensor("coder", "the reserved coder", unsupported, coder=1)
    tensor("layout", "a reserved layout", unsupported, layout=1)
    tensor("segments", "segments of a raw tensor", segments=[12])
    tensor("quant", "quantization parameters of a plain tensor", quant={"scales": [1.0]})
    tensor("rank_9", "rank 9", index=4, shape=[1] * 8 + [3])
    tensor("rank_9_ones", "rank 9, the last dims 1", index=4, shape=[3] + [1] * 8)
    tensor("rank_8", "rank 8", "success", index=3, shape=[70])
    empty_last = {"items": lambda i: [*i[:4], b"", *i[5:]]}
    for name, dim in (("large", 2**31 + 1), ("negative", 2**64 - 1)):
        rule(f"tensor_dim_{name}", f"a dim of {dim}, without elements", lambda m, d=dim: m["tensors"][4].update(shape=[d, 0]), **empty_last)
    rule("tensor_dim_largest", "a dim of 2^31, without elements", lambda m: m["tensors"][4].update(shape=[2**31, 0]), "success", **empty_last)
    rule("tensor_size_wraps_to_0", "dims whose size wraps to the 0 bytes there are",
         lambda m: m["tensors"][4].update(shape=[2**31, 2**31, 2**31]), **empty_last)
    tensor("size_wraps", "dims whose product wraps to 0", index=3, shape=[2**31, 2**31, 4])
    tensor("size_wraps_exactly", "dims whose product in bytes wraps to the size", index=0, shape=[2**31, 2**31, 2**31, 3])
    tensor("strings_short", "fewer bytes than the offsets need", index=1, shape=[30])
    rule("tensor_strings_many", "a string tensor of more elements than memory", lambda m: (
        m["tensors"][1].update(shape=[2**31, 16]), m["graphs"][0]["values"][4].update(ranked=False, dims=[])))
    tensor("strings_wraps", "a string tensor whose offsets wrap", index=1, shape=[2**31, 2**31])

    # Blobs, ops, symbols.
    rule("blob_kind", "a reserved kind of blob", lambda m: m["blobs"][0].update(kind=1), unsupported)
    rule("blob_unnamed", "a blob without a name", lambda m: m["blobs"][0].update(name=""))
    rule("blob_twice", "two blobs of one name", lambda m: m["blobs"][1].update(name="labels.txt"))
    rule("op_empty", "an op without a name", lambda m: m["ops"].append(""))
    rule("op_twice", "an op twice", lambda m: m["ops"].append("Add"))
    rule("symbol_empty", "a symbol without a name", lambda m: m["symbols"].append(""))
    rule("symbol_twice", "a symbol twice", lambda m: m["symbols"].append("batch"))

    # Values.
    def a_value(case, comment, expect=invalid, index=6, **fields):
        rule(f"value_{case}", comment, lambda m: m["graphs"][0]["values"][index].update(fields), expect)
    a_value("unnamed", "a value without a name", name="")
    a_value("twice", "two values of one name", name="w")
    a_value("kind", "an unknown kind of value", unsupported, kind=3)
    a_value("dtype", "an unknown element type", unsupported, dtype=27)
    a_value("unranked_dims", "dims without rank", dims=dims(3))
    a_value("rank", "rank 9", ranked=True, dims=dims(*[1] * 9))
    a_value("dim", "a dim above 2^31", ranked=True, dims=dims(2**31 + 1))
    a_value("dim_symbol", "a dim with a size and a symbol", ranked=True, dims=[{"size": 3, "symbol": 0}])
    a_value("symbol", "an unknown symbol", ranked=True, dims=[{"size": NONE, "symbol": 1}])
    a_value("constant", "a constant that is not one", index=5, constant=3)
    a_value("constant_far", "a constant out of range", index=5, constant=0x7FFFFFFF)
    a_value("constant_negative", "a constant of 2^32 - 2", constant=0xFFFFFFFE)
    a_value("constant_dtype", "a constant of another element type", index=3, dtype=6)
    a_value("constant_shape", "a constant of another shape", index=3, dims=dims(4))
    a_value("constant_rank", "a constant of another rank", index=3, dims=dims(3, 1))
    a_value("constant_kind", "a constant that is a sequence", index=5, kind=1)

    # Graphs.
    def graph(name, comment, change, expect=invalid):
        rule(f"graph_{name}", comment, lambda m: change(m["graphs"][0]), expect)
    graph("input_twice", "an input twice", lambda g: g.update(inputs=[0, 1, 2, 0]))
    graph("input_constant", "an input that is a constant", lambda g: g.update(inputs=[0, 1, 2, 3]))
    graph("input_range", "an input out of range", lambda g: g.update(inputs=[0, 1, 2, 8]))
    graph("input_none", "an absent input", lambda g: g.update(inputs=[0, 1, 2, NONE]))
    graph("output_range", "an output out of range", lambda g: g.update(outputs=[6, 7, 8]))
    graph("output_none", "an absent output", lambda g: g.update(outputs=[6, 7, NONE]))
    graph("output_unproduced", "an output that nothing produces", lambda g: (g["values"].append(value("z")), g.update(outputs=[6, 7, 8])))
    graph("value_unused", "a value that nothing produces and nothing reads", lambda g: g["values"].append(value("z")), "success")
    graph("node_op", "a node of an unknown op", lambda g: g["nodes"][1].update(op=4))
    graph("node_input_range", "a node reads a value out of range", lambda g: g["nodes"][1].update(inputs=[2, 0xFFFFFFFE]))
    graph("node_reads_later", "nodes out of order", lambda g: g["nodes"].reverse() or g["nodes"][0].update(inputs=[6, 3]))
    graph("node_reads_itself", "a node reads its own output", lambda g: g["nodes"][1].update(inputs=[7, 3]))
    graph("node_reads_nothing", "a node reads a value that nothing produces",
          lambda g: (g["values"].append(value("z")), g["nodes"][1].update(inputs=[2, 8])))
    graph("node_writes_twice", "a value is the output of two nodes", lambda g: g["nodes"][1].update(outputs=[7, 6]))
    graph("node_writes_constant", "a node writes a constant", lambda g: g["nodes"][1].update(outputs=[7, 3]))
    graph("node_writes_input", "a node writes an input", lambda g: g["nodes"][1].update(outputs=[7, 0]))
    graph("node_output_range", "an output of a node out of range", lambda g: g["nodes"][1].update(outputs=[7, 99]))
    rule("subgraph_value", "a rule broken in a subgraph", lambda m: m["graphs"][2]["nodes"][0].update(inputs=[0, 2]))

    # Attributes; attrs[0] of node 1 is {"i": -5}.
    def attr(name, comment, change, expect=invalid):
        rule(f"attr_{name}", comment, lambda m: change(m["graphs"][0]["nodes"][1]["attrs"]), expect)
    attr("twice", "an attribute twice", lambda a: a.append({"name": "i", "kind": 1}))
    attr("unnamed", "an attribute without a name", lambda a: a[0].update(name=""))
    attr("kind_0", "kind 0", lambda a: a[0].update(kind=0, i=0), unsupported)
    attr("kind_9", "kind 9", lambda a: a[0].update(kind=9, i=0), unsupported)
    attr("i_and_f", "an int with a float", lambda a: a[0].update(f=1.0))
    attr("i_and_s", "an int with a string", lambda a: a[0].update(s="x"))
    attr("i_and_empty_s", "an int with an empty string", lambda a: a[0].update(s=""))
    attr("i_and_empty_list", "an int with an empty list", lambda a: a[0].update(ints=[]))
    attr("i_and_tensor", "an int with a tensor", lambda a: a[0].update(tensor=0))
    attr("i_and_graph", "an int with a graph", lambda a: a[0].update(graph=1))
    attr("list_65", "a list of 65 elements in place", lambda a: a[3].update(ints=list(range(65))))
    attr("list_65_floats", "a list of 65 floats in place", lambda a: a[4].update(floats=[0.5] * 65))
    attr("list_65_strings", "a list of 65 strings in place", lambda a: a[5].update(strings=["x"] * 65))
    attr("list_range", "a list in a tensor out of range", lambda a: a[7].update(tensor=5))
    attr("list_64", "a list of 64 elements in place", lambda a: a[3].update(ints=list(range(64))), "success")
    attr("list_both", "a list in place and as a tensor", lambda a: a[7].update(ints=[1]))
    attr("list_dtype", "a list of ints in a float tensor", lambda a: a[7].update(tensor=0))
    attr("list_rank", "a list in a tensor of rank 2", lambda a: a[4].update(floats=None, tensor=4))
    attr("list_strings", "a list of strings in an int tensor", lambda a: a[5].update(strings=None, tensor=3))
    attr("list_strings_tensor", "a list of strings in a string tensor", lambda a: a[5].update(strings=None, tensor=1), "success")
    attr("tensor_range", "a tensor out of range", lambda a: a[6].update(tensor=5))
    attr("tensor_none", "no tensor", lambda a: a[6].update(tensor=None))
    attr("graph_range", "a graph out of range", lambda a: a.append({"name": "g", "kind": 8, "graph": 3}))
    attr("graph_far", "a graph of 2^32 - 2", lambda a: a.append({"name": "g", "kind": 8, "graph": 0xFFFFFFFE}))
    attr("graph_self", "a graph inside itself", lambda a: a.append({"name": "g", "kind": 8, "graph": 0}))
    attr("graph_twice", "a graph used twice", lambda a: a.append({"name": "g", "kind": 8, "graph": 1}))
    attr("257", "257 attributes", lambda a: a.extend({"name": f"a{i}", "kind": 1} for i in range(249)), limit)
    attr("256", "256 attributes", lambda a: a.extend({"name": f"a{i}", "kind": 1} for i in range(248)), "success")
    for count, comment in ((3, "more captures than the subgraph has inputs"), (-1, "a negative number of captures")):
        rule(f"captures_{count}", comment, lambda m, c=count: m["graphs"][0]["nodes"][0]["attrs"][2].update(i=c))
    rule("captures_kind", "captures is a float", lambda m: m["graphs"][0]["nodes"][0]["attrs"][2].update(kind=2, i=0, f=2.0))
    rule("graph_backward", "a subgraph refers to an earlier one", lambda m: m["graphs"][2]["nodes"][0].update(
        attrs=[{"name": "g", "kind": 8, "graph": 1}]))
    rule("depth_9", "subgraphs nested nine deep", lambda m: _nest(m, 9), unsupported)
    rule("depth_8", "subgraphs nested eight deep", lambda m: _nest(m, 8), "success")

    # States.
    def state(name, comment, change, expect=invalid):
        rule(f"state_{name}", comment, change, expect)
    state("input", "a state without its input", lambda m: m["states"][0].update(input="nothing"))
    state("output", "a state without its output", lambda m: m["states"][0].update(output="nothing"))
    state("output_inner", "a state whose output is no output", lambda m: m["states"][0].update(output="w"))
    state("input_twice", "two states of one input", lambda m: m["states"].append({"input": "h", "output": "y"}))
    state("output_twice", "two states of one output", lambda m: m["states"].append({"input": "x", "output": "h_next"}))
    state("initial_dtype", "an initial value of another element type", lambda m: m["states"][0].update(initial=3))
    state("initial_range", "an initial value out of range", lambda m: m["states"][0].update(initial=5))
    state("initial_far", "an initial value of 2^32 - 2", lambda m: m["states"][0].update(initial=0xFFFFFFFE))
    state("many", "1,025 states", lambda m: m.update(states=[{"input": "h", "output": "h_next"}] * 1025), limit)

    # The buffer itself.
    def buffer(name, comment, change, expect=invalid):
        vector(f"buffer_{name}", expect, comment + "; authentic", rich(on_buffer=change), verify="success")
    buffer("identifier", "another file identifier", lambda b: b[:8] + b"COFN" + b[12:])
    buffer("prefix_0", "a size prefix of 0", lambda b: le4(0) + b[4:])
    buffer("prefix_less", "a size prefix four bytes short, so that a byte follows that is not zero",
           lambda b: le4(len(b) - 4 - 4) + b[4:-1] + b"\1")
    buffer("prefix_large", "a size prefix beyond the region", lambda b: le4(8192) + b[4:])
    buffer("prefix_huge", "a size prefix of 2^32 - 1", lambda b: le4(0xFFFFFFFF) + b[4:])
    buffer("root_far", "the root outside", lambda b: b[:4] + le4(0x10000) + b[8:])
    buffer("root_0", "the root at offset 0", lambda b: b[:4] + le4(0) + b[8:])
    buffer("root_negative", "the root at an offset of 2^32 - 8", lambda b: b[:4] + le4(0xFFFFFFF8) + b[8:])
    buffer("root_unaligned", "the root a byte further", lambda b: b[:4] + le4(struct.unpack_from("<I", b, 4)[0] + 1) + b[8:])
    root = lambda b: 4 + struct.unpack_from("<I", b, 4)[0]  # noqa: E731
    buffer("vtable_far", "the vtable of the root outside", lambda b: b[:root(b)] + le4(0x100000) + b[root(b) + 4:])
    buffer("vtable_behind", "the vtable of the root behind the end", lambda b: b[:root(b)] + le4(0xFFFF0000) + b[root(b) + 4:])
    buffer("vtable_odd", "a vtable of odd size", lambda b: _vtable(b, lambda v: le2(len(v) + 1) + v[2:]))
    buffer("vtable_huge", "a vtable longer than the buffer", lambda b: _vtable(b, lambda v: le2(0xFFFE) + v[2:]))
    buffer("field_far", "a field outside the buffer", lambda b: _vtable(b, lambda v: v[:4] + le2(0xFFF0) + v[6:]))
    buffer("string_unterminated", "a string without its zero", lambda b: b.replace(b"testkit\0", b"testkit\1"))
    buffer("string_long", "a string longer than the buffer", lambda b: b.replace(le4(7) + b"testkit", le4(0x7FFFFFF0) + b"testkit"))
    buffer("vector_long", "a list whose count times eight wraps", lambda b: b.replace(le4(2) + struct.pack("<2q", 1, 2), le4(0x20000002) + struct.pack("<2q", 1, 2)))
    for kind, comment in (("long", "a list of ints"), ("ulong", "the shapes of tensors")):
        buffer(f"misaligned_{kind}", f"{comment} off by 4 bytes", lambda b, k=kind: flat.encode(MANIFEST_SCHEMA, flat_plain(b), k))
    buffer("offset_self", "a string offset of 0", _zero_offset)
    vector("manifest_padding", invalid, "a byte behind the FlatBuffer; authentic", base(on_plain=lambda p: p[:-1] + b"\1"), verify="success")
    vector("manifest_padding_first", invalid, "the byte right behind the FlatBuffer; authentic", base(on_plain=_first_padding), verify="success")
    vector("manifest_padding_more", "success", "more zeros behind the FlatBuffer than needed", base(on_plain=lambda p: p + bytes(8192)))


def _many_dims(m):
    m["symbols"] = ["s" * 1000]
    dim = [{"size": NONE, "symbol": 0}] * 8
    m["graphs"][0]["values"] += [{"name": f"v{i}", "ranked": True, "dims": dim} for i in range(60)]


def _many_tables(m):
    node = {"op": 2, "inputs": [], "outputs": []}
    graph = {"values": [], "nodes": Repeat(node, 450)}
    m.update(graphs=Repeat(graph, 450), states=[])


def _wrap_back(m):
    m["blobs"].append({"name": "again", **{f: m["blobs"][1][f] for f in ("offset", "nbytes")}})
    m["blobs"][1].update(nbytes=2**64 - m["blobs"][1]["offset"])


def _exchange_items(m):
    a, b = m["tensors"][3], m["tensors"][4]
    a["offset"], b["offset"] = b["offset"], a["offset"]


def _nest(m, depth):
    """A chain of subgraphs below node 1 of the main graph."""
    first = len(m["graphs"])
    for i in range(depth):
        graph = {"name": f"g{i}", "inputs": [], "outputs": [], "values": [], "nodes": []}
        if i + 1 < depth:
            graph["nodes"] = [{"op": 1, "attrs": [{"name": "g", "kind": 8, "graph": first + i + 1}]}]
        m["graphs"].append(graph)
    m["graphs"][0]["nodes"][1]["attrs"].append({"name": "g", "kind": 8, "graph": first})


def _vtable(b, change):
    root = 4 + struct.unpack_from("<I", b, 4)[0]
    at = root - struct.unpack_from("<i", b, root)[0]
    size = struct.unpack_from("<H", b, at)[0]
    return b[:at] + change(b[at:at + size]) + b[at + size:]


def _zero_offset(b):
    """The producer (field 1 of the root) at an offset of 0."""
    root = 4 + struct.unpack_from("<I", b, 4)[0]
    vtable = root - struct.unpack_from("<i", b, root)[0]
    at = root + struct.unpack_from("<H", b, vtable + 4 + 2)[0]
    return b[:at] + le4(0) + b[at + 4:]


def _first_padding(plain):
    end = 4 + struct.unpack_from("<I", plain)[0]
    return plain[:end] + b"\1" + plain[end + 1:]


# --- writing ---------------------------------------------------------------------------------------------------------

def generate():
    import generate_trust  # which imports this module
    for part in (sound, fixed_parts, signatures, slots, licences, manifest_and_payload, manifest_rules, *generate_trust.PARTS):
        part()
    return dict(sorted(VECTORS.items()))


def index(vectors):
    lines = []
    for name, data in vectors.items():
        head = dict(line.split(": ", 1) for line in data[:data.index(b"\n\n")].decode().splitlines())
        lines.append(f"{sha256(data).hex()} {name} {head['expect']} {head.get('verify', head['expect'])}")
    return "\n".join(lines) + "\n"


def archive(vectors):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in vectors.items():
            member = tarfile.TarInfo(f"{name}.vector")
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return lzma.compress(raw.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def unpack():
    with tarfile.open(ARCHIVE) as tar:
        return {member.name.removesuffix(".vector"): tar.extractfile(member).read() for member in tar}


def main(arguments):
    vectors = generate()
    if arguments == ["--archive"]:
        ARCHIVE.write_bytes(archive(vectors))
        INDEX.write_text(index(vectors))
        print(f"{len(vectors)} vectors, {ARCHIVE.stat().st_size} bytes packed")
    elif arguments == ["--check"]:
        if unpack() != vectors or INDEX.read_text() != index(vectors):
            sys.exit("testkit.tar.xz or index.txt is not what generate.py makes")
        print(f"{len(vectors)} vectors")
    elif len(arguments) == 1 and not arguments[0].startswith("-"):
        folder = pathlib.Path(arguments[0])
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in vectors.items():
            (folder / f"{name}.vector").write_bytes(data)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    import generate as one  # the same instance as generate_trust's
    one.main(sys.argv[1:])
