"""Writes `.coffer` files for tests: right ones, and ones with a single fault that everything after it is consistent with.

The other half of reader.py and as independent of the library. All randomness comes from a seed, so that the same call gives
the same bytes: never write a file with this that is to keep a secret. A fault is a hook that changes one intermediate
value; what is derived from it later (hashes, tags, signatures, MAC) then fits the changed value.
"""
import dataclasses
import hashlib
import struct
from typing import Callable

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

import flat
from reader import (AEADS, GRANT, HDR_FIELDS, HDR_STRUCT, MAGIC, MANIFEST_SCHEMA, P256_KEM, PAGE, SIGS_SIZE, X25519_KEM,
                    FileKeys, chunk_aad, hkdf_expand, hkdf_extract, hmac_sha256, hpke_key, key_id, le2, le8, leaf,
                    manifest_aad, model_id, p256_public, p256_shared, padme, round_up, sha256, signed_message,
                    slot_context, table_root, x25519_public, x25519_shared)


class Random:
    """Bytes that depend on a seed and on how many were drawn before."""

    def __init__(self, seed):
        self.seed, self.drawn = seed.encode(), 0

    def __call__(self, size):
        out = b""
        while len(out) < size:
            out += sha256(b"vectors\0", self.seed, le8(self.drawn))
            self.drawn += 1
        return out[:size]


@dataclasses.dataclass
class Signer:
    """An Ed25519 key, from 32 bytes."""

    seed: bytes

    @property
    def public(self):
        return ed25519.Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    def entry(self, label, digest):
        """A signature entry (5.2)."""
        id_ = key_id(self.public)
        message = signed_message(label, 1, id_, digest)
        return entry(1, id_, ed25519.Ed25519PrivateKey.from_private_bytes(self.seed).sign(message))


def entry(alg, id_, signature):
    return struct.pack("<HH", alg, len(signature)) + id_ + signature


# --- 5.7: slot bodies; each takes (suite, context, DEK, random) ------------------------------------------------------

def _wrap(suite, ikm, salt, context, dek):
    okm = hkdf_expand(hkdf_extract(salt, ikm), context, 64)
    return okm[32:], AEADS[suite](okm[:32]).encrypt(bytes(12), dek, context)


def in_clear():
    return 0, lambda suite, context, dek, random: dek


def to_kek(kek):
    def body(suite, context, dek, random):
        salt = random(32)
        commit, ct = _wrap(suite, kek, salt, context, dek)
        return hmac_sha256(kek, b"coffer/v1/kek-id")[:16] + salt + commit + ct
    return 1, body


def _hpke_body(kem, suite, context, dek, enc, dh, public):
    key, nonce = hpke_key(kem, suite, dh, enc, public, context)
    return sha256(b"coffer/v1/hint", enc, public)[:4] + enc + AEADS[suite](key).encrypt(nonce, dek, b"")


def to_x25519(public):
    def body(suite, context, dek, random):
        secret = random(32)
        return _hpke_body(X25519_KEM, suite, context, dek, x25519_public(secret), x25519_shared(secret, public), public)
    return 2, body


def to_p256(public):
    def body(suite, context, dek, random):
        secret = ec.derive_private_key(1 + int.from_bytes(random(31), "big"), ec.SECP256R1())
        return _hpke_body(P256_KEM, suite, context, dek, p256_public(secret), p256_shared(secret, public), public)
    return 5, body


def to_password(password, log_n=14):
    def body(suite, context, dek, random):
        salt = random(16)
        ikm = hashlib.scrypt(password, salt=b"coffer/v1/scrypt" + salt, n=1 << log_n, r=8, p=1, maxmem=0x7FFFFFFE, dklen=32)
        commit, ct = _wrap(suite, ikm, salt, context, dek)
        return salt + bytes([log_n]) + commit + ct
    return 3, body


def as_is(kind, body):
    """A slot of any kind with a given body."""
    return kind, lambda suite, context, dek, random: body


# --- the container ---------------------------------------------------------------------------------------------------

def same(value, *_):
    return value


@dataclasses.dataclass
class Container:
    """What to write. Fields named on_* are hooks: called with an intermediate value, they return what to use instead."""

    manifest: dict = None
    items: list = dataclasses.field(default_factory=list)  # bytes of tensors, then blobs
    recipients: list = dataclasses.field(default_factory=list)
    signers: list = dataclasses.field(default_factory=list)
    distributors: list = dataclasses.field(default_factory=list)
    suite: int = 1
    chunk_log2: int = 16
    model_version: int = 1
    created: int = 0
    not_after: int = 0
    incompat: int = 0
    generation: int = 1
    hide_size: bool = False
    dek: bytes = None
    salt: bytes = None  # in the place of what 5.3 says; a reader cannot tell
    seed: str = ""  # of all randomness: the same seed gives the same bytes
    hdr: bytes = None  # set by write()
    plaintexts: tuple = None  # set by write(): FlatBuffer and payload

    on_items: Callable = same  # list of bytes
    on_records: Callable = same  # dict, before offsets and sizes are filled in
    on_payload: Callable = same  # bytes of the payload
    on_manifest: Callable = same  # dict, offsets and sizes filled in
    on_buffer: Callable = same  # bytes of the FlatBuffer with its prefix
    on_plain: Callable = same  # bytes that are sealed as MANIFEST
    on_chunks: Callable = same  # list of plaintext chunks
    on_nonce: Callable = same  # nonce of a chunk
    on_aad: Callable = same  # AAD of a chunk
    on_manifest_aad: Callable = same
    on_sealed_manifest: Callable = same  # MANIFEST, before it is hashed
    on_cipher: Callable = same  # list of ciphertext chunks, before they are hashed
    on_table: Callable = same  # list of (tag, leaf), and the ciphertext chunks
    on_table_bytes: Callable = same
    on_root: Callable = same  # table_root, n_chunks, TABLE
    on_header: Callable = same  # dict of the fields of HDR
    on_entries: Callable = same  # list of signature entries of SIGS
    on_sigs: Callable = same  # bytes of SIGS
    on_slots: Callable = same  # list of (kind, flags, slot_id, body)
    on_slots_head: Callable = same  # dict of the head of SLOTS
    on_slots_bytes: Callable = same  # head and slots, before the MAC
    on_mac: Callable = same  # MAC, HDR, what of SLOTS stands before it
    on_slots_entries: Callable = same  # list of entries, what they sign

    def write(self):
        random = Random(self.seed)
        dek = self.dek or random(32)
        file_id = random(16)

        manifest, payload = self.lay_out()
        payload = self.on_payload(payload)
        manifest = self.on_manifest(manifest)
        buffer = self.on_buffer(flat.encode(MANIFEST_SCHEMA, manifest))
        self.plaintexts = buffer, payload
        plain = self.on_plain(pad_manifest(buffer))
        id_ = model_id(manifest.get("name", ""))
        salt = sha256(b"coffer/v1/salt", random(32), le2(self.suite), id_, le8(self.model_version), le8(self.not_after),
                      sha256(plain), sha256(payload))
        salt = self.salt or salt
        keys = FileKeys(dek, self.suite, salt, file_id)

        size = 1 << self.chunk_log2
        n_chunks = -(-len(payload) // size)
        header = {"magic": MAGIC, "major": 1, "minor": 0, "incompat": self.incompat, "compat": 0, "suite": self.suite,
                  "chunk_log2": self.chunk_log2, "zero": 0, "manifest_len": len(plain) + 16,
                  "payload_len": len(payload), "n_chunks": n_chunks, "model_version": self.model_version,
                  "created": self.created, "not_after": self.not_after, "model_id": id_, "file_id": file_id,
                  "salt": salt, "key_commit": keys.commit, "reserved": bytes(248)}
        header["table_off"] = PAGE + header["manifest_len"]
        header["table_len"] = 48 * n_chunks
        header["payload_off"] = round_up(header["table_off"] + header["table_len"], PAGE)
        header["body_len"] = header["payload_off"] + len(payload)

        sealed = AEADS[self.suite](keys.manifest[:32]).encrypt(
            keys.manifest[32:], plain, self.on_manifest_aad(manifest_aad(header)))
        sealed = self.on_sealed_manifest(sealed)
        aead = AEADS[self.suite](keys.payload[:32])
        chunks, tags = [], []
        for i, chunk in enumerate(self.on_chunks([payload[at:at + size] for at in range(0, len(payload), size)])):
            out = aead.encrypt(self.on_nonce(keys.chunk_nonce(i)), chunk, self.on_aad(chunk_aad(header, i)))
            chunks.append(out[:-16])
            tags.append(out[-16:])
        chunks = self.on_cipher(chunks)
        rows = self.on_table([(tag, leaf(i, chunk)) for i, (tag, chunk) in enumerate(zip(tags, chunks))],
                             chunks)
        table = b"".join(tag + hash_ for tag, hash_ in rows)
        header["manifest_hash"] = sha256(sealed)
        header["table_root"] = self.on_root(table_root(n_chunks, table), n_chunks, table)
        table = self.on_table_bytes(table + bytes(header["payload_off"] - header["table_off"] - len(table)))

        header = self.on_header(header)
        hdr = struct.pack(HDR_STRUCT, *(header[name] for name, _ in HDR_FIELDS))
        self.hdr = hdr  # for hooks that sign it in another way
        content_id = sha256(hdr)
        entries = self.on_entries([signer.entry("coffer/v1/sig", content_id) for signer in self.signers])
        sigs = self.on_sigs(b"".join(entries).ljust(SIGS_SIZE, b"\0"))
        return hdr + sigs + sealed + table + b"".join(chunks) + self.slots(hdr, dek, keys, random)

    def lay_out(self):
        """The manifest with offset and nbytes of the items in it, and the payload."""
        manifest = self.on_records(dict(self.manifest))
        payload, placed = b"", []
        for item in self.on_items(list(self.items)):
            payload += bytes(-len(payload) % 64)
            placed.append({"offset": len(payload), "nbytes": len(item)})
            payload += item
        tensors = manifest.get("tensors", [])
        records = [{**record, **place} for record, place in zip(tensors + manifest.get("blobs", []), placed)]
        manifest["tensors"], manifest["blobs"] = records[:len(tensors)], records[len(tensors):]
        if self.hide_size:
            payload = payload.ljust(padme(len(payload)), b"\0")
        return manifest, payload

    def slots(self, hdr, dek, keys, random, flags=0):
        content_id = sha256(hdr)
        slots = []
        for kind, body in self.recipients:
            slot_id = random(16)
            slots.append((kind, 0, slot_id, body(self.suite, slot_context(kind, slot_id, content_id), dek, random)))
        slots = b"".join(struct.pack("<HHI16s", kind, slot_flags, len(body), slot_id) + body
                         for kind, slot_flags, slot_id, body in self.on_slots(slots))
        head = {"magic": b"COFS", "version": 1, "count": len(self.recipients), "generation": self.generation,
                "total": 64 + len(slots) + 32 + 100 * len(self.distributors), "flags": flags,
                "content_id": content_id, "reserved": bytes(8)}
        region = self.on_slots_bytes(struct.pack("<4sHHQII32s8s", *self.on_slots_head(head).values()) + slots)
        region += self.on_mac(hmac_sha256(keys.slots_mac, b"coffer/v1/slots", hdr, region), hdr, region)
        entries = [signer.entry("coffer/v1/slots-sig", sha256(region)) for signer in self.distributors]
        return region + b"".join(self.on_slots_entries(entries, region))


def pad_manifest(buffer):
    """5.4: zeros that hide the size of the graph."""
    size = len(buffer) + 16
    if size > 64 << 10:
        size = padme(size)
    return buffer.ljust(round_up(size, PAGE) - 16, b"\0")


def grant(data, dek, recipients, random, distributors=(), suite=None, **hooks):
    """A SLOTS block for a file of its own (5.7.5), of the container `data`."""
    hdr = data[:512]
    header = dict(zip((name for name, _ in HDR_FIELDS), struct.unpack(HDR_STRUCT, hdr)))
    keys = FileKeys(dek, header["suite"], header["salt"], header["file_id"])
    writer = Container(recipients=recipients, distributors=list(distributors), suite=suite or header["suite"],
                       generation=0, **hooks)
    return writer.slots(hdr, dek, keys, random, flags=GRANT)
