#!/usr/bin/env python3
"""An independent reader of `.coffer` files, written from docs/format.md and schemas/manifest.fbs alone.

    reader.py FILE... [--key KEY]... [--password TEXT] [--grant FILE]... [--trust HEX]... [--distributor HEX]...
              [--bundle FILE] [--allow-unsigned] [--allow-unprotected]

KEY is an age X25519 identity (AGE-SECRET-KEY-1...), a key file (5.17), or raw:FILE; HEX a raw Ed25519 public key. Without a key the
file is verified as far as that goes (5.5). Prints one line a file: what was opened, or the class of 5.14 and the reason.

It is for checking the document and the library against each other, not for use: keys are not wiped, nothing is lazy, and
comparisons take the time they take. The numbers in comments are sections of docs/format.md.
"""
import dataclasses
import hashlib
import hmac
import math
import pathlib
import re
import struct
import sys
import time

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import flat

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "schemas"
MANIFEST_SCHEMA = flat.Schema((SCHEMAS / "manifest.fbs").read_text(encoding="utf-8"))

MAGIC = bytes.fromhex("89434f460d0a1a0a")
HDR_SIZE, SIGS_SIZE, PAGE = 512, 3584, 4096
MIN_FILE, SLOTS_HEAD, SLOTS_MIN, SLOTS_MAX = 8288, 64, 96, 1 << 20
SLOTS_SIGNED, POST_QUANTUM_ONLY, LICENCE_REQUIRED, UNPROTECTED = 1, 2, 4, 8
CRITICAL, GRANT = 1, 1
NONE = 0xFFFFFFFF
AEADS = {1: AESGCM, 2: ChaCha20Poly1305}
HPKE_AEADS = {1: 2, 2: 3}
BODY_SIZES = {0: 32, 1: 128, 2: 84, 3: 97, 4: None, 5: 117}  # None: see kms_fields
REVOKED = 2

# 5.2, in the order of the table: name, struct code.
HDR_FIELDS = [("magic", "8s"), ("major", "H"), ("minor", "H"), ("incompat", "I"), ("compat", "I"), ("suite", "H"),
              ("chunk_log2", "B"), ("zero", "B"), ("body_len", "Q"), ("manifest_len", "Q"), ("table_off", "Q"),
              ("table_len", "Q"), ("payload_off", "Q"), ("payload_len", "Q"), ("n_chunks", "Q"), ("model_version", "Q"),
              ("created", "Q"), ("not_after", "Q"), ("model_id", "16s"), ("file_id", "16s"), ("salt", "32s"),
              ("key_commit", "32s"), ("manifest_hash", "32s"), ("table_root", "32s"), ("reserved", "248s")]
HDR_STRUCT = "<" + "".join(code for _, code in HDR_FIELDS)


class Refused(Exception):
    """The file is refused with a class of 5.14."""

    def __init__(self, class_, reason):
        super().__init__(f"{class_}: {reason}")
        self.class_, self.reason = class_, reason


def need(condition, class_, reason):
    if not condition:
        raise Refused(class_, reason)


@dataclasses.dataclass
class Key:
    """A raw Ed25519 key that is trusted, and what a bundle says of it (5.9.1)."""

    public: bytes
    state: int = 0
    not_before: int = 0
    not_after: int = 0

    def in_time(self, created):
        """5.9.2, revocation aside."""
        if not self.not_before and not self.not_after:
            return True
        return created != 0 and self.not_before <= created and (not self.not_after or created <= self.not_after)

    def counts(self, created):
        return self.state != REVOKED and self.in_time(created)


@dataclasses.dataclass
class Policy:
    """What the opener asks for (5.5 steps 1, 5, 6, 9; 5.13)."""

    trusted: list = dataclasses.field(default_factory=list)  # a Key for each publisher
    threshold: int = 1
    distributors: list = dataclasses.field(default_factory=list)
    distributor_threshold: int = 1
    licensors: list = dataclasses.field(default_factory=list)
    licensor_threshold: int = 1
    bundle: object = None  # the bundle.Bundle that the keys and thresholds above are from
    store: object = None  # a bundle.Store: what is remembered
    product: str = ""  # expected product of a licence, "" for any
    hosts: dict = dataclasses.field(default_factory=dict)  # what this host is (5.8.4)
    allow_unsigned: bool = False
    allow_unprotected: bool = False
    name: str = ""  # expected model, "" for any
    min_version: int = 0
    now: int = 0  # 0: the clock
    suites: tuple = (1, 2)
    revoked_contents: tuple = ()  # content ids
    revoked_licences: tuple = ()
    max_log_n: int = 17
    max_calls: int = 8
    max_file: int = 1 << 42
    max_manifest: int = 64 << 20
    max_tables: int = 200_000
    aead_only: bool = False

    def clock(self):
        return self.now or int(time.time())

    def least_version(self, model):
        return max(self.min_version, self.bundle.min_versions.get(model, (0, 0))[0] if self.bundle else 0)


@dataclasses.dataclass
class Keys:
    keks: list = dataclasses.field(default_factory=list)
    identities: list = dataclasses.field(default_factory=list)  # 32-byte X25519 secrets
    p256: list = dataclasses.field(default_factory=list)  # EllipticCurvePrivateKey
    devices: list = dataclasses.field(default_factory=list)  # the same, in a device
    services: dict = dataclasses.field(default_factory=dict)  # prefix: function of URI, S and blob that gives the DEK or None
    password: bytes = None
    grants: list = dataclasses.field(default_factory=list)  # not keys, but slots that a key opens
    licences: list = dataclasses.field(default_factory=list)

    def any(self):
        return bool(self.keks or self.identities or self.p256 or self.devices or self.services or self.password is not None)


# --- 2, 5.3: notation and keys ---------------------------------------------------------------------------------------

def le2(value):
    return struct.pack("<H", value)


def le8(value):
    return struct.pack("<Q", value)


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def hmac_sha256(key, *parts):
    return hmac.digest(key, b"".join(parts), "sha256")


def hkdf_extract(salt, ikm):
    return hmac_sha256(salt or bytes(32), ikm)


def hkdf_expand(prk, info, size):
    block, out = b"", b""
    for i in range(1, -(-size // 32) + 1):
        block = hmac_sha256(prk, block, info, bytes([i]))
        out += block
    return out[:size]


def round_up(value, unit):
    return -(-value // unit) * unit


def padme(length):
    """5.4"""
    if length < 2:
        return length
    e = length.bit_length() - 1
    return round_up(length, 1 << (e - e.bit_length()))


def aead_open(suite, key, nonce, aad, sealed, class_, reason):
    try:
        return AEADS[suite](key).decrypt(nonce, bytes(sealed), aad)
    except InvalidTag:
        raise Refused(class_, reason) from None


def model_id(name):
    return sha256(b"coffer/v1/model", name.encode())[:16] if name else bytes(16)


def key_id(public, alg=1):
    return sha256(b"coffer/v1/keyid", le2(alg), public)


class FileKeys:
    """X(label, n) of 5.3, and what is made from it."""

    def __init__(self, dek, suite, salt, file_id):
        self.suite, self.file_id, self.prk = suite, file_id, hkdf_extract(salt, dek)
        self.commit, self.slots_mac = self.derive("commit", 32), self.derive("slots", 32)
        self.manifest, self.payload = self.derive("manifest", 44), self.derive("payload", 44)

    def derive(self, label, size):
        return hkdf_expand(self.prk, b"coffer/v1/" + label.encode() + b"\0" + le2(self.suite) + self.file_id, size)

    def chunk_nonce(self, index):
        return bytes(a ^ b for a, b in zip(self.payload[32:], index.to_bytes(12, "big")))


def manifest_aad(h):
    return (b"coffer/v1/manifest" + le2(h["suite"]) + h["file_id"] + h["model_id"] + le8(h["model_version"]) +
            le8(h["payload_len"]) + le8(h["not_after"]))


def chunk_aad(h, index):
    last = b"\1" if index + 1 == h["n_chunks"] else b"\0"
    return b"coffer/v1/chunk" + le2(h["suite"]) + h["file_id"] + le8(h["payload_len"]) + le8(index) + last


def leaf(index, ciphertext):
    return sha256(b"coffer/v1/leaf", le8(index), ciphertext)


def table_root(n_chunks, table):
    return sha256(b"coffer/v1/table", le8(n_chunks), table)


def signed_message(label, alg, id_, digest):
    """5.6, 5.7: what a signature entry signs."""
    return label.encode() + b"\0" + le2(alg) + id_ + digest


# --- HPKE base mode (RFC 9180) and age's text form of keys -----------------------------------------------------------

X25519_KEM, P256_KEM = 0x0020, 0x0010


def _labeled_extract(suite_id, salt, label, ikm):
    return hkdf_extract(salt, b"HPKE-v1" + suite_id + label + ikm)


def _labeled_expand(suite_id, prk, label, info, size):
    return hkdf_expand(prk, struct.pack(">H", size) + b"HPKE-v1" + suite_id + label + info, size)


def hpke_key(kem, suite, dh, enc, public, info):
    """Key and base nonce of the context for one message."""
    kem_id = b"KEM" + struct.pack(">H", kem)
    prk = _labeled_extract(kem_id, b"", b"eae_prk", dh)
    shared = _labeled_expand(kem_id, prk, b"shared_secret", enc + public, 32)
    suite_id = b"HPKE" + struct.pack(">HHH", kem, 1, HPKE_AEADS[suite])
    context = (b"\0" + _labeled_extract(suite_id, b"", b"psk_id_hash", b"") +
               _labeled_extract(suite_id, b"", b"info_hash", info))
    secret = _labeled_extract(suite_id, shared, b"secret", b"")
    return (_labeled_expand(suite_id, secret, b"key", context, 32),
            _labeled_expand(suite_id, secret, b"base_nonce", context, 12))


def x25519_public(secret):
    return x25519.X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def x25519_shared(secret, public):
    """The shared secret; ValueError when it is all zeros, as RFC 9180 demands."""
    return x25519.X25519PrivateKey.from_private_bytes(secret).exchange(x25519.X25519PublicKey.from_public_bytes(public))


def p256_key(secret):
    return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())


def p256_public(key):
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def p256_shared(key, public):
    return key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public))


_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _bech32_polymod(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    return check


def _bech32_prefix(prefix):
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def bech32_encode(prefix, data):
    number, size = int.from_bytes(data, "big"), -(-len(data) * 8 // 5)
    number <<= size * 5 - len(data) * 8
    values = [number >> 5 * (size - 1 - i) & 31 for i in range(size)]
    check = _bech32_polymod(_bech32_prefix(prefix) + values + [0] * 6) ^ 1
    return prefix + "1" + "".join(_BECH32[v] for v in values + [check >> 5 * (5 - i) & 31 for i in range(6)])


def bech32_decode(prefix, text):
    """BIP 173, in the lower case of `prefix`."""
    if not text.startswith(prefix + "1"):
        raise ValueError(f"not a {prefix} key")
    values = [_BECH32.index(c) for c in text[len(prefix) + 1:]]
    if len(values) < 6 or _bech32_polymod(_bech32_prefix(prefix) + values) != 1:
        raise ValueError("checksum")
    values = values[:-6]
    spare = len(values) * 5 % 8
    number = 0
    for value in values:
        number = number << 5 | value
    if spare >= 5 or number & ((1 << spare) - 1):
        raise ValueError("padding")
    return (number >> spare).to_bytes(len(values) * 5 // 8, "big")


def identity_text(secret):
    return bech32_encode("age-secret-key-", secret).upper()


def identity_from_text(text):
    if text != text.upper():
        raise ValueError("an identity is written in capitals")
    secret = bech32_decode("age-secret-key-", text.lower())
    if len(secret) != 32:
        raise ValueError("length of an identity")
    return secret


# --- 5.6: signatures -------------------------------------------------------------------------------------------------

P25519 = 2**255 - 19


def check_public(public):
    """5.6: ValueError for an Ed25519 key that is not canonical, not on the curve, or of small order."""
    encoded = int.from_bytes(public, "little")
    y, sign = encoded & ((1 << 255) - 1), encoded >> 255
    if len(public) != 32 or y >= P25519:
        raise ValueError("key is not canonical")
    d = -121665 * pow(121666, -1, P25519) % P25519
    xx = (y * y - 1) * pow(d * y * y + 1, -1, P25519) % P25519
    x = pow(xx, (P25519 + 3) // 8, P25519)
    if (x * x - xx) % P25519:
        x = x * pow(2, (P25519 - 1) // 4, P25519) % P25519
    if (x * x - xx) % P25519 or (x == 0 and sign):
        raise ValueError("key is not on the curve, or not canonical")
    for _ in range(3):  # times 8
        product = d * x * x * y * y % P25519
        x, y = (2 * x * y * pow(1 + product, -1, P25519) % P25519,
                (y * y + x * x) * pow(1 - product, -1, P25519) % P25519)
    if (x, y) == (0, 1):
        raise ValueError("key is of small order")


def parse_signatures(data, class_):
    """Entries (alg, key_id, signature), and the length they took; the list ends at alg 0 or below 36 bytes."""
    entries, at = [], 0
    while len(data) - at >= 36:
        alg, size = struct.unpack_from("<HH", data, at)
        if alg == 0:
            break
        need(len(entries) < 8, class_, "more than 8 signatures")
        need(size >= 1 and at + 36 + size <= len(data), class_, "length of a signature")
        need(alg != 1 or size == 64, class_, "length of an Ed25519 signature")
        id_ = data[at + 4:at + 36]
        need(all(id_ != other for _, other, _ in entries), class_, "two signatures of one key")
        entries.append((alg, id_, data[at + 36:at + 36 + size]))
        at += 36 + size
    return entries, at


def signers_of(entries, label, digest, keys):
    """The trusted keys that signed, whether they count or not; a bad signature of one is refused."""
    by_id, signers = {key_id(key.public): key for key in keys}, []
    for alg, id_, signature in entries:
        if alg != 1 or id_ not in by_id:
            continue
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(by_id[id_].public).verify(
                signature, signed_message(label, alg, id_, digest))
        except InvalidSignature:
            raise Refused("signature", "signature of a trusted key") from None
        signers.append(by_id[id_])
    return signers


# --- 5.2, 5.5: the fixed parts ---------------------------------------------------------------------------------------

def parse_header(data, policy):
    """Steps 2 to 4."""
    need(len(data) >= MIN_FILE, "format", "shorter than any container")
    need(len(data) <= policy.max_file, "limit", "file size")
    h = dict(zip((name for name, _ in HDR_FIELDS), struct.unpack_from(HDR_STRUCT, data)))
    need(h["magic"] == MAGIC, "format", "magic")
    need(h["major"] == 1, "unsupported", "major version")
    need(h["incompat"] & ~15 == 0, "unsupported", "incompat bit")
    need(h["suite"] in AEADS and h["suite"] in policy.suites, "unsupported", "suite")
    need(14 <= h["chunk_log2"] <= 20, "format", "chunk_log2")
    need(h["zero"] == 0 and h["reserved"] == bytes(248), "format", "reserved bytes")

    need(h["manifest_len"] > 0 and h["manifest_len"] % PAGE == 0, "format", "manifest_len")
    need(h["payload_len"] <= 1 << 42, "format", "payload_len")
    derived = {"table_off": PAGE + h["manifest_len"]}
    derived["n_chunks"] = (h["payload_len"] + (1 << h["chunk_log2"]) - 1) >> h["chunk_log2"]
    derived["table_len"] = 48 * derived["n_chunks"]
    derived["payload_off"] = round_up(derived["table_off"] + derived["table_len"], PAGE)
    derived["body_len"] = derived["payload_off"] + h["payload_len"]
    for name, value in derived.items():
        need(h[name] == value and value < 1 << 64, "format", f"{name} is not what the lengths give")
    need(SLOTS_MIN <= len(data) - h["body_len"] <= SLOTS_MAX, "format", "length of SLOTS")
    need(h["manifest_len"] <= policy.max_manifest, "limit", "manifest")
    h["content_id"] = sha256(data[:HDR_SIZE])
    return h


def check_signatures(data, h, policy):
    """Step 5; returns whether a trusted signature vouches for HDR."""
    sigs = data[HDR_SIZE:HDR_SIZE + SIGS_SIZE]
    entries, used = parse_signatures(sigs, "signature")
    need(not any(sigs[used:]), "signature", "SIGS padding")
    signers = signers_of(entries, "coffer/v1/sig", h["content_id"], policy.trusted)
    count = sum(key.counts(h["created"]) for key in signers)
    if count < policy.threshold and not policy.allow_unsigned:
        need(entries, "signature", "no signature")
        need(sum(key.in_time(h["created"]) for key in signers) < policy.threshold, "revoked", "key of a publisher")
        raise Refused("untrusted", "not enough trusted signatures")
    return count > 0


def check_facts(h, policy, state):
    """Step 6."""
    need(not h["incompat"] & UNPROTECTED or policy.allow_unprotected, "unprotected", "file is not encrypted")
    need(not policy.name or h["model_id"] == model_id(policy.name), "wrong_model", "model_id")
    need(h["model_version"] >= policy.least_version(h["model_id"]), "rollback", "model_version")
    need(not state or h["model_version"] >= state.version(h["model_id"]), "rollback", "model_version was higher")
    if h["not_after"]:
        check_clock(policy, state)
        need(time_of(policy, state) <= h["not_after"], "expired", "not_after")
    if policy.bundle and policy.bundle.expires:
        check_clock(policy, state)
        known = state and any(record[2] == h["content_id"] for record in state.records)
        need(known or time_of(policy, state) <= policy.bundle.expires, "expired", "trust bundle")
    need(h["content_id"] not in policy.revoked_contents, "revoked", "content")


def time_of(policy, state):
    """T of 5.9.4."""
    return max(policy.clock(), state.latest if state else 0)


def check_clock(policy, state, grace=0):
    need(not state or policy.clock() + max(3600, grace) >= state.latest, "expired", "the clock went back")


@dataclasses.dataclass
class Slots:
    """A SLOTS block, in a container or a grant."""

    generation: int
    flags: int
    content_id: bytes
    slots: list  # (kind, slot_id, body)
    before_mac: bytes
    mac: bytes
    entries: list

    def kinds(self):
        return [kind for kind, _, _ in self.slots]


def parse_slots(data):
    """The fixed layout of 5.7."""
    need(len(data) >= SLOTS_MIN, "format", "length of SLOTS")
    magic, version, count, generation, total, flags, content, reserved = struct.unpack_from("<4sHHQII32s8s", data)
    need(magic == b"COFS", "format", "head of SLOTS")
    need(version == 1, "unsupported", "version of SLOTS")
    need(total == len(data) and not any(reserved), "format", "head of SLOTS")
    need(1 <= count <= 1024, "format", "number of slots")
    need(flags & ~GRANT == 0, "unsupported", "flags of SLOTS")
    slots, at = parse_slot_list(data, SLOTS_HEAD, count)
    need(at + 32 <= len(data), "format", "no MAC in SLOTS")
    entries, used = parse_signatures(data[at + 32:], "format")
    need(at + 32 + used == len(data), "format", "bytes after the signatures of SLOTS")
    return Slots(generation, flags, content, slots, data[:at], data[at:at + 32], entries)


def parse_slot_list(data, at, count):
    """`count` slots from `at` on, and where they end."""
    slots = []
    for _ in range(count):
        need(at + 24 <= len(data), "format", "slot beyond SLOTS")
        kind, slot_flags, size, slot_id = struct.unpack_from("<HHI16s", data, at)
        need(size <= 8192 and at + 24 + size <= len(data), "format", "length of a slot")
        need(slot_flags & ~CRITICAL == 0, "format", "flags of a slot")
        need(all(slot_id != other for _, other, _ in slots), "format", "two slots of one id")
        need(kind in BODY_SIZES or not slot_flags & CRITICAL, "unsupported", "critical slot of unknown kind")
        body = data[at + 24:at + 24 + size]
        need(kind == 4 or kind not in BODY_SIZES or size == BODY_SIZES[kind], "format", "length of a slot of a known kind")
        need(kind != 4 or kms_fields(body), "format", "body of a key service's slot")
        slots.append((kind, slot_id, body))
        at += 24 + size
    return slots, at


def check_distributor(block, h, policy):
    """5.2: what 0x1 asks of SLOTS and of a grant."""
    if h["incompat"] & SLOTS_SIGNED:
        digest = sha256(block.before_mac, block.mac)
        signers = signers_of(block.entries, "coffer/v1/slots-sig", digest, policy.distributors)
        need(sum(key.state != REVOKED for key in signers) >= policy.distributor_threshold, "signature",
             "no signature of a distributor")


def check_slots(block, h, policy, signed):
    """Step 7: SLOTS of a container, after its layout."""
    need(block.content_id == h["content_id"], "header_auth", "SLOTS of another file")
    check_distributor(block, h, policy)
    kinds, unprotected = block.kinds(), bool(h["incompat"] & UNPROTECTED)
    need(block.flags == 0, "format", "a grant in the place of SLOTS")
    need(kinds == [0] if unprotected else 0 not in kinds, "format", "unprotected slot")
    need(not h["incompat"] & LICENCE_REQUIRED or set(kinds) == {1}, "format", "slots beside product keys")
    need(kinds.count(3) <= 1, "format", "two passwords")
    need(3 not in kinds or len(kinds) == 1 or signed, "format", "password beside others without a trusted signature")
    check_classical(kinds, h)


def check_classical(kinds, h):
    need(not h["incompat"] & POST_QUANTUM_ONLY or not {2, 5} & set(kinds), "format", "classical slot")


def grants_for(grants, h, policy):
    """Step 7: the grants given that are for this file (5.7.5)."""
    blocks = []
    for data in grants:
        need(len(data) <= SLOTS_MAX, "format", "length of a grant")
        block = parse_slots(data)
        need(block.flags == GRANT and block.generation == 0, "format", "not a grant")
        need(not {0, 3} & set(block.kinds()), "format", "kind of a slot in a grant")
        if block.content_id == h["content_id"]:
            check_distributor(block, h, policy)
            need(not h["incompat"] & LICENCE_REQUIRED or set(block.kinds()) == {1}, "format", "slots beside product keys")
            check_classical(block.kinds(), h)
            blocks.append(block)
    return blocks


# --- 5.7: unwrapping -------------------------------------------------------------------------------------------------

def slot_context(kind, slot_id, content_id):
    return b"coffer/v1/slot\0" + le2(kind) + slot_id + content_id


def unwrap_committed(suite, ikm, salt, commit, ct, context):
    """Kinds 1 and 3."""
    okm = hkdf_expand(hkdf_extract(salt, ikm), context, 64)
    need(okm[32:] == commit, "unwrap", "slot commitment")
    return aead_open(suite, okm[:32], bytes(12), context, ct, "unwrap", "slot")


def unwrap_hpke(kem, suite, key, enc, ct, context):
    shared, public = (x25519_shared, x25519_public) if kem == X25519_KEM else (p256_shared, p256_public)
    try:
        wrap, nonce = hpke_key(kem, suite, shared(key, enc), enc, public(key), context)
    except ValueError:
        raise Refused("unwrap", "encapsulated key") from None
    return aead_open(suite, wrap, nonce, b"", ct, "unwrap", "slot")


URI_CHARACTERS = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%")


def kms_fields(body):
    """URI and blob of a slot of kind 4 (5.7.4); None when the body is not exactly that."""
    if len(body) < 2 or len(body) < 4 + (uri_len := struct.unpack_from("<H", body)[0]):
        return None
    uri, blob_len, blob = body[2:2 + uri_len], struct.unpack_from("<H", body, 2 + uri_len)[0], body[4 + uri_len:]
    if not 3 <= uri_len <= 512 or not 1 <= blob_len <= 4096 or blob_len != len(blob):
        return None
    uri = uri.decode("latin-1")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:.+", uri) or not set(uri) <= URI_CHARACTERS:
        return None
    return uri, blob


def service_for(uri, services):
    """The service of the longest prefix that the URI lies below, or None."""
    plain = re.sub("%2[Ff]", "/", re.sub("%2[Ee]", ".", uri))
    if {".", ".."} & set(re.split("[/?#:;]", plain)):
        return None
    below = [prefix for prefix in services if uri.startswith(prefix) and
             (uri == prefix or prefix[-1] in ":/" or uri[len(prefix)] in "/?#;")]
    return services[max(below, key=len)] if below else None


AT_HAND, DEVICE, SERVICE, PASSWORD = range(4)  # what an attempt costs


def attempts_of(block, suite, keys, policy):
    """Step 9: (cost, function that unwraps) for the slots that a key given matches."""
    for kind, slot_id, body in block.slots:
        context = slot_context(kind, slot_id, block.content_id)
        if kind == 0:
            yield AT_HAND, lambda body=body: body
        elif kind == 1:
            for kek in keys.keks:
                if hmac_sha256(kek, b"coffer/v1/kek-id")[:16] == body[:16]:
                    yield AT_HAND, lambda k=kek, b=body, c=context: unwrap_committed(suite, k, b[16:48], b[48:80], b[80:], c)
        elif kind in (2, 5):
            kem, size = (X25519_KEM, 32) if kind == 2 else (P256_KEM, 65)
            enc, ct = body[4:4 + size], body[4 + size:]
            at_hand = keys.identities if kind == 2 else keys.p256
            for key in [*at_hand, *(keys.devices if kind == 5 else [])]:
                public = x25519_public(key) if kind == 2 else p256_public(key)
                if sha256(b"coffer/v1/hint", enc, public)[:4] == body[:4]:
                    yield (AT_HAND if key in at_hand else DEVICE,
                           lambda k=key, m=kem, e=enc, t=ct, c=context: unwrap_hpke(m, suite, k, e, t, c))
        elif kind == 4 and (service := service_for(kms_fields(body)[0], keys.services)):
            yield SERVICE, lambda s=service, b=body, c=context: unwrap_kms(s, *kms_fields(b), c)
        elif kind == 3 and keys.password is not None:
            yield PASSWORD, lambda b=body, c=context: unwrap_password(suite, b, c, keys, policy)


def unwrap_kms(service, uri, blob, context):
    dek = service(uri, context, blob)
    need(dek is not None and len(dek) == 32, "unwrap", f"key service of {uri}")
    return dek


def unwrap_password(suite, body, context, keys, policy):
    need(14 <= body[16] <= 20, "format", "logN")
    need(body[16] <= policy.max_log_n, "limit", "logN")
    password = keys.password[:-1] if keys.password.endswith(b"\n") else keys.password
    ikm = hashlib.scrypt(password, salt=b"coffer/v1/scrypt" + body[:16], n=1 << body[16], r=8, p=1, maxmem=0x7FFFFFFE,
                         dklen=32)
    return unwrap_committed(suite, ikm, body[:16], body[17:49], body[49:], context)


class Calls:
    """How often providers may still be asked in one open (5.7.5)."""

    def __init__(self, policy):
        self.left = policy.max_calls

    def take(self):
        self.left -= 1
        return self.left >= 0


def unwrap(blocks, suite, keys, policy, calls):
    """The DEK from the first slot that opens: what costs least first, then grants before SLOTS; and the block it was in."""
    failure = Refused("no_recipient", "no slot for the keys given")
    attempts = [(cost, attempt, block) for block in blocks for cost, attempt in attempts_of(block, suite, keys, policy)]
    for cost, attempt, block in sorted(attempts, key=lambda entry: entry[0]):
        if cost in (DEVICE, SERVICE) and not calls.take():
            continue
        try:
            return attempt(), block
        except Refused as refused:
            if refused.class_ != "unwrap":
                raise
            failure = refused
    raise failure


# --- 5.10: the manifest ----------------------------------------------------------------------------------------------

BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 8: 0, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128,
        16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}
FLOAT32, INT64, STRING, BOOL = 1, 7, 8, 9
ATTR_FIELDS = {1: "i", 2: "f", 3: "s", 4: "ints", 5: "floats", 6: "strings", 7: "tensor", 8: "graph"}


def invalid(condition, reason):
    need(condition, "manifest_invalid", reason)


def check_name(text, what, empty=True):
    need(len(text.encode()) <= 1024, "limit", f"name of {what}")
    invalid("\0" not in text and (empty or text), f"name of {what}")


def unique(values, what):
    invalid(len(set(values)) == len(values), f"{what} twice")


# dtype: what it may be stored as in encoding 1
NARROW = {1: (10, 16), 11: (1,), 6: (3, 2, 5, 4), 7: (3, 2, 5, 4, 6)}


def check_tensor(t):
    check_name(t["name"], "a tensor")
    need(t["dtype"] in BITS, "unsupported", "dtype")
    need(t["encoding"] <= 1 and t["coder"] == 0 and t["layout"] == 0, "unsupported", "encoding, coder or layout")
    invalid(len(t["shape"]) <= 8 and all(dim <= 1 << 31 for dim in t["shape"]), "shape of a tensor")
    invalid(not t["segments"], "segments of a raw tensor")
    invalid(t["quant"] is None, "quant of a plain tensor")
    invalid(t["stored"] in NARROW.get(t["dtype"], ()) if t["encoding"] == 1 else t["stored"] == 0, "stored type")
    elements = math.prod(t["shape"])
    if t["dtype"] == STRING:
        invalid(t["nbytes"] >= 8 * (elements + 1), "size of a string tensor")
    else:
        invalid(t["nbytes"] == -(-elements * BITS[t["stored"] or t["dtype"]] // 8), "size of a tensor")


def check_attr(attr, owner, m, used_graphs):
    check_name(attr["name"], "an attribute", empty=False)
    need(attr["kind"] in ATTR_FIELDS, "unsupported", "kind of an attribute")
    kind, in_tensor = attr["kind"], attr["tensor"] != NONE
    lists = ("ints", "floats", "strings")
    defaults = {"i": 0, "f": 0.0, "tensor": NONE, "graph": NONE}
    used = {"tensor"} if ATTR_FIELDS[kind] in lists and in_tensor else {ATTR_FIELDS[kind]}
    invalid(all(attr[f] == default for f, default in defaults.items() if f not in used), "field of another kind")
    invalid(not (attr["present"] & {"s", *lists}) - used, "field of another kind")
    invalid(all(len(attr[f]) <= 64 for f in lists), "long list in an attribute")
    if kind == 7 or in_tensor:
        invalid(attr["tensor"] < len(m["tensors"]), "tensor of an attribute")
    if kind in (4, 5, 6) and in_tensor:
        t = m["tensors"][attr["tensor"]]
        invalid(t["dtype"] == {4: INT64, 5: FLOAT32, 6: STRING}[kind] and len(t["shape"]) == 1, "list of an attribute")
    if kind == 8:
        invalid(owner < attr["graph"] < len(m["graphs"]), "graph of an attribute")
        invalid(attr["graph"] not in used_graphs, "graph used twice")
        used_graphs[attr["graph"]] = owner


def check_graph(index, g, m, used_graphs):
    check_name(g["name"], "a graph")
    unique([v["name"] for v in g["values"]], "value")
    produced = [False] * len(g["values"])

    def produce(value):
        invalid(value < len(produced) and not produced[value], "value produced twice, or out of range")
        produced[value] = True

    for v in g["values"]:
        check_name(v["name"], "a value", empty=False)
        need(v["kind"] <= 2 and (v["dtype"] == 0 or v["dtype"] in BITS), "unsupported", "type of a value")
        invalid(len(v["dims"]) <= 8 and (v["ranked"] or not v["dims"]), "rank of a value")
        for dim in v["dims"]:
            invalid(dim["size"] <= 1 << 31 or dim["size"] == NONE, "dimension")
            invalid(dim["symbol"] == NONE or (dim["size"] == NONE and dim["symbol"] < len(m["symbols"])), "symbol")
        if v["constant"] != NONE:
            invalid(v["constant"] < m["constants"], "constant of a value")
            t = m["tensors"][v["constant"]]
            invalid(v["kind"] == 0 and v["dtype"] in (0, t["dtype"]), "dtype of a constant")
            dims = [dim["size"] for dim in v["dims"]]
            invalid(not v["ranked"] or NONE in dims or dims == t["shape"], "shape of a constant")
    for value in g["inputs"]:
        produce(value)
    for value, v in enumerate(g["values"]):
        if v["constant"] != NONE:
            produce(value)
    for node in g["nodes"]:
        check_name(node["name"], "a node")
        invalid(node["op"] < len(m["ops"]), "op of a node")
        invalid(all(i == NONE or (i < len(produced) and produced[i]) for i in node["inputs"]), "input of a node")
        for value in node["outputs"]:
            if value != NONE:
                produce(value)
        need(len(node["attrs"]) <= 256, "limit", "number of attributes")
        unique([attr["name"] for attr in node["attrs"]], "attribute")
        captures = [attr for attr in node["attrs"] if attr["name"] == "captures"]
        for attr in node["attrs"]:
            check_attr(attr, index, m, used_graphs)
            if attr["kind"] == 8 and captures:
                most = min(len(node["inputs"]), len(m["graphs"][attr["graph"]]["inputs"]))
                invalid(captures[0]["kind"] == 1 and 0 <= captures[0]["i"] <= most, "captures")
    invalid(all(value < len(produced) and produced[value] for value in g["outputs"]), "output of a graph")


def check_manifest(m, h, buffer_size):
    need(m["format"] == 1, "unsupported", "format")
    check_name(m["name"], "the model")
    invalid(model_id(m["name"]) == h["model_id"], "name is not that of model_id")
    if m["claims"]:
        need(not m["claims"]["features"] and m["claims"]["min_runtime"] <= 1, "unsupported", "claims")
    invalid(m["graphs"] and m["constants"] <= len(m["tensors"]), "counts")
    for what in ("ops", "symbols"):
        for text in m[what]:
            check_name(text, what, empty=False)
        unique(m[what], what)

    end = 0
    for t in m["tensors"]:
        check_tensor(t)
    for blob in m["blobs"]:
        check_name(blob["name"], "a blob", empty=False)
        need(blob["kind"] == 0, "unsupported", "kind of a blob")
    for item in m["tensors"] + m["blobs"]:
        invalid(item["offset"] == round_up(end, 64), "offset of an item")
        end = item["offset"] + item["nbytes"]
        invalid(end <= h["payload_len"], "item beyond the payload")
    invalid(h["payload_len"] in (end, padme(end)), "end of the payload")
    unique([blob["name"] for blob in m["blobs"]], "blob")
    for pair in m["metadata"]:
        check_name(pair["key"], "metadata")
    unique([pair["key"] for pair in m["metadata"]], "metadata key")

    copied = m["copied"]  # an op or symbol is copied for each node or dim that uses it
    for g in m["graphs"]:
        copied += sum(len(m["ops"][node["op"]]) for node in g["nodes"] if node["op"] < len(m["ops"]))
        copied += sum(len(m["symbols"][dim["symbol"]]) for v in g["values"] for dim in v["dims"]
                      if dim["symbol"] < len(m["symbols"]))
    invalid(copied < 32 * buffer_size + 65536, "text and lists used again and again")

    for what in ("nodes", "values"):
        need(sum(len(g[what]) for g in m["graphs"]) <= 1_000_000, "limit", what)
    used_graphs = {}
    for index, g in enumerate(m["graphs"]):
        check_graph(index, g, m, used_graphs)
    depth = {}
    for index in range(len(m["graphs"])):  # an owner stands before what it owns
        depth[index] = depth[used_graphs[index]] + 1 if index in used_graphs else 0
        need(depth[index] <= 8, "unsupported", "nesting of graphs")

    main = m["graphs"][0]
    inputs = {main["values"][i]["name"]: main["values"][i] for i in main["inputs"]}
    outputs = {main["values"][i]["name"] for i in main["outputs"]}
    need(len(m["states"]) <= 1024, "limit", "number of states")
    unique([s["input"] for s in m["states"]], "state of an input")
    unique([s["output"] for s in m["states"]], "state of an output")
    for s in m["states"]:
        invalid(s["input"] in inputs and s["output"] in outputs, "state without its input or output")
        if s["initial"] != NONE:
            invalid(s["initial"] < len(m["tensors"]) and
                    m["tensors"][s["initial"]]["dtype"] == inputs[s["input"]]["dtype"], "initial value of a state")


def check_payload(m, payload):
    """Step 16."""
    end = 0
    for item in m["tensors"] + m["blobs"]:
        invalid(not any(payload[end:item["offset"]]), "padding of the payload")
        end = item["offset"] + item["nbytes"]
    invalid(not any(payload[end:]), "padding of the payload")
    for t in m["tensors"]:
        data = payload[t["offset"]:t["offset"] + t["nbytes"]]
        if t["dtype"] == BOOL:
            invalid(all(b <= 1 for b in data), "boolean")
        elif t["dtype"] == STRING:
            count = math.prod(t["shape"])
            offsets, text = struct.unpack_from(f"<{count + 1}Q", data), data[8 * (count + 1):]
            invalid(offsets[0] == 0 and list(offsets) == sorted(offsets), "offsets of strings")
            invalid(offsets[-1] == len(text), "size of a string tensor")
            for begin, end in zip(offsets, offsets[1:]):
                try:
                    text[begin:end].decode("utf-8")
                except UnicodeDecodeError:
                    raise Refused("manifest_invalid", "string is not UTF-8") from None


# --- 5.5: opening ----------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Model:
    header: dict
    manifest: dict
    payload: bytes
    manifest_buffer: bytes
    dek: bytes
    generation: int

    def digests(self):
        """5.11: equal for equal content."""
        return sha256(self.manifest_buffer).hex(), sha256(self.payload).hex()


def check_policy(policy):
    """Step 1; returns what is remembered, or None."""
    need(policy.trusted or policy.allow_unsigned, "untrusted", "no trusted signer and no permission to do without")
    for key in policy.trusted + policy.distributors + policy.licensors:
        try:
            check_public(key.public)
        except ValueError as error:
            raise Refused("untrusted", str(error)) from None
    if not policy.store:
        return None
    state = policy.store.load()
    if policy.bundle:
        state.adopt(policy.bundle)
        policy.store.save(state)
    return state


def remember(h, slots, policy, state, signed):
    """After step 16 (5.9.4)."""
    if state and signed:
        state.see_time(policy.clock())
        state.see(h["model_id"], h["model_version"], h["content_id"],
                  slots.generation if h["incompat"] & SLOTS_SIGNED else 0)
        policy.store.save(state)


def read_table(data, h):
    """Step 13."""
    table = data[h["table_off"]:h["table_off"] + h["table_len"]]
    need(not any(data[h["table_off"] + h["table_len"]:h["payload_off"]]), "format", "TABLE padding")
    need(table_root(h["n_chunks"], table) == h["table_root"], "tree", "table_root")
    return [(table[i:i + 16], table[i + 16:i + 48]) for i in range(0, len(table), 48)]


def chunks_of(data, h):
    size, payload = 1 << h["chunk_log2"], data[h["payload_off"]:h["body_len"]]
    return [payload[i:i + size] for i in range(0, len(payload), size)]


def verify(data, policy):
    """Without a key: steps 1 to 7, manifest_hash, TABLE and every leaf."""
    state = check_policy(policy)
    h = parse_header(data, policy)
    signed = check_signatures(data, h, policy)
    check_facts(h, policy, state)
    check_slots(parse_slots(data[h["body_len"]:]), h, policy, signed)
    need(sha256(data[PAGE:h["table_off"]]) == h["manifest_hash"], "manifest_auth", "manifest_hash")
    for i, ((_, expected), chunk) in enumerate(zip(read_table(data, h), chunks_of(data, h))):
        need(leaf(i, chunk) == expected, "tree", f"leaf {i}")
    return h


def open_manifest(data, h, keys, policy):
    """Steps 11 and 12."""
    sealed = data[PAGE:h["table_off"]]
    need(sha256(sealed) == h["manifest_hash"], "manifest_auth", "manifest_hash")
    plain = aead_open(h["suite"], keys.manifest[:32], keys.manifest[32:], manifest_aad(h), sealed, "manifest_auth",
                      "manifest")
    size = struct.unpack_from("<I", plain)[0]
    invalid(4 + size <= len(plain) and not any(plain[4 + size:]), "padding of the manifest")
    try:
        manifest = flat.decode(MANIFEST_SCHEMA, plain[:4 + size], max_tables=policy.max_tables)
    except (flat.Malformed, flat.TooMany) as error:
        raise Refused("manifest_invalid", str(error)) from None
    check_manifest(manifest, h, 4 + size)
    return manifest, plain[:4 + size]


def unwrap_licensed(blocks, h, keys, policy, state):
    """Steps 8 and 9 for a file with 0x4."""
    import licence  # which imports this module
    refusal, accepted = Refused("licence", "none was given"), []
    for data in keys.licences:
        try:
            one = licence.accept(data, h, policy, time_of(policy, state))
            if one.claims["not_before"] or one.claims["not_after"]:
                check_clock(policy, state, one.claims["grace"])
            accepted.append(one)
        except Refused as refused:
            refusal = refused
    if not accepted:
        raise refusal
    return licence.unwrap(accepted, blocks, h, keys, policy)


def open_file(data, policy, keys):
    """All steps of 5.5."""
    state = check_policy(policy)
    h = parse_header(data, policy)
    signed = check_signatures(data, h, policy)
    try:
        return open_signed(data, h, policy, keys, state, signed)
    except Refused as refused:
        if refused.class_ in ("expired", "licence") and state and signed:
            state.see_time(policy.clock())
            policy.store.save(state)
        raise


def open_signed(data, h, policy, keys, state, signed):
    """Steps 6 to 16."""
    check_facts(h, policy, state)
    slots = parse_slots(data[h["body_len"]:])
    check_slots(slots, h, policy, signed)
    blocks = [*grants_for(keys.grants, h, policy), slots]
    if h["incompat"] & LICENCE_REQUIRED:
        dek, used = unwrap_licensed(blocks, h, keys, policy, state)
    else:
        dek, used = unwrap(blocks, h["suite"], keys, policy, Calls(policy))
    file_keys = FileKeys(dek, h["suite"], h["salt"], h["file_id"])
    need(file_keys.commit == h["key_commit"], "commitment", "key_commit")
    for block in (slots, used):
        mac = hmac_sha256(file_keys.slots_mac, b"coffer/v1/slots", data[:HDR_SIZE], block.before_mac)
        need(mac == block.mac, "header_auth", "MAC of SLOTS")
    if state and h["incompat"] & SLOTS_SIGNED:
        need(slots.generation >= state.generation(h["content_id"]), "rollback", "generation of SLOTS")
    manifest, buffer = open_manifest(data, h, file_keys, policy)
    payload = b""
    for i, ((tag, expected), chunk) in enumerate(zip(read_table(data, h), chunks_of(data, h))):
        need(policy.aead_only or leaf(i, chunk) == expected, "tree", f"leaf {i}")
        payload += aead_open(h["suite"], file_keys.payload[:32], file_keys.chunk_nonce(i), chunk_aad(h, i), chunk + tag,
                             "chunk_auth", f"chunk {i}")
    check_payload(manifest, payload)
    remember(h, slots, policy, state, signed)
    return Model(h, manifest, payload, buffer, dek, slots.generation)


# --- README.md of this folder: vectors -------------------------------------------------------------------------------

def read_vector(vector):
    """Head lines [(key, value)] and the file's bytes."""
    head, _, data = vector.partition(b"\n\n")
    return [tuple(line.split(": ", 1)) for line in head.decode().splitlines()], data


def testkit_service(uri, context, blob):
    """The key service of README.md: the blob is the answer and a hash that binds it to URI and S."""
    answer, proof = blob[:-32], blob[-32:]
    return answer if proof == sha256(b"coffer/testkit/kms", uri.encode(), b"\0", context, answer) else None


def vector_policy(head):
    """Policy and keys that the head of a vector asks for."""
    import bundle  # which imports this module
    policy, keys = Policy(), Keys()
    for key, value in head:
        if key in ("trust", "distributor", "licensor"):
            roles = {"trust": policy.trusted, "distributor": policy.distributors, "licensor": policy.licensors}
            roles[key].append(Key(bytes.fromhex(value)))
        elif key == "bundle":
            bundle.follow(policy, bundle.load(bytes.fromhex(value)))
        elif key == "state":
            policy.store = bundle.Store(None if value == "none" else bytes.fromhex(value))
        elif key == "licence":
            keys.licences.append(bytes.fromhex(value))
        elif key == "product":
            policy.product = value
        elif key == "host":
            policy.hosts.update([value.split("=", 1)])
        elif key == "kek":
            keys.keks.append(bytes.fromhex(value))
        elif key == "identity":
            keys.identities.append(identity_from_text(value))
        elif key in ("p256", "p256-device"):
            (keys.p256 if key == "p256" else keys.devices).append(p256_key(bytes.fromhex(value)))
        elif key in ("kms", "kms-down"):
            keys.services[value] = testkit_service if key == "kms" else lambda *_: None
        elif key == "password":
            keys.password = value.encode()
        elif key == "grant":
            keys.grants.append(bytes.fromhex(value))
        elif key == "allow":
            setattr(policy, f"allow_{value}", True)
        elif key == "model":
            policy.name = value
        elif key == "revoked":
            policy.revoked_contents = (bytes.fromhex(value),)
        elif key == "integrity":
            policy.aead_only = value == "aead-only"
        elif key == "suites":
            policy.suites = tuple(int(suite) for suite in value.split(","))
        elif key in ("threshold", "min-version", "time", "cap-file", "cap-manifest"):
            field = {"min-version": "min_version", "time": "now", "cap-file": "max_file",
                     "cap-manifest": "max_manifest"}.get(key, key)
            setattr(policy, field, int(value))
        elif key not in ("expect", "verify", "comment", "manifest", "payload", "state-after"):
            raise ValueError(f"head of a vector: {key}")
    return policy, keys


def outcome(action):
    """"success" or the class of the refusal, and what the action returned."""
    try:
        return "success", action()
    except Refused as refused:
        return refused.class_, refused


def run_vector(vector):
    """What is wrong with this reader's answers to a vector, or None."""
    head, data = read_vector(vector)
    return run_container(head, data) if head[0][0] != "file" else run_other(head, data)


def run_container(head, data):
    expected = dict(head)
    store = None

    def with_policy(use):
        def action():
            nonlocal store
            policy, keys = vector_policy(head)
            store = policy.store
            return use(policy, keys)
        return outcome(action)
    verified, reason = with_policy(lambda policy, _: verify(data, policy))
    opened, model = with_policy(lambda policy, keys: open_file(data, policy, keys))
    if opened != expected["expect"]:
        return f"opened: {model}, expected {expected['expect']}"
    if verified != expected.get("verify", expected["expect"]):
        return f"verified: {reason}, expected {expected.get('verify', expected['expect'])}"
    if opened == "success" and model.digests() != (expected.get("manifest"), expected.get("payload")):
        return f"digests {model.digests()}"
    if store and store.text() != expected.get("state-after", expected["state"]):
        return f"state {store.text()}"
    return None


def run_other(head, data):
    """A bundle, a state or a key file."""
    import bundle
    import keyfile  # which imports this module
    expected, kind = dict(head), dict(head)["file"]

    def read():
        if kind == "bundle" and "bundle" in expected:
            return [bundle.update(bundle.load(bytes.fromhex(expected["bundle"])), data).digest.hex()]
        if kind == "bundle":
            return [bundle.load(data).digest.hex()]
        if kind == "state":
            return [bundle.State.decode(data).encode().hex()]
        return keyfile.read(kind, data, expected.get("passphrase", "").encode())
    found, result = outcome(read)
    wanted = {"bundle": [expected.get("digest")], "state": [data.hex()]}.get(kind, [v for k, v in head if k == "key"])
    if found != expected["expect"]:
        return f"{result}, expected {expected['expect']}"
    return f"{result} instead of {wanted}" if found == "success" and result != wanted else None


def main(arguments):
    import bundle
    import keyfile
    policy, keys, files = Policy(), Keys(), []
    arguments = iter(arguments)
    for argument in arguments:
        if argument == "--trust":
            policy.trusted.append(Key(bytes.fromhex(next(arguments))))
        elif argument == "--distributor":
            policy.distributors.append(Key(bytes.fromhex(next(arguments))))
        elif argument == "--bundle":
            bundle.follow(policy, bundle.load(pathlib.Path(next(arguments)).read_bytes()))
        elif argument == "--password":
            keys.password = next(arguments).encode()
        elif argument == "--grant":
            keys.grants.append(pathlib.Path(next(arguments)).read_bytes())
        elif argument == "--key":
            key = next(arguments)
            if key.startswith("raw:"):
                keys.keks.append(pathlib.Path(key[4:]).read_bytes())
            else:
                keyfile.add(keys, key.encode() if key.startswith("AGE-") else pathlib.Path(key).read_bytes())
        elif argument in ("--allow-unsigned", "--allow-unprotected"):
            setattr(policy, argument[2:].replace("-", "_"), True)
        elif argument.startswith("--"):
            sys.exit(__doc__)
        else:
            files.append(argument)
    failures = 0
    for name in files:
        try:
            data = pathlib.Path(name).read_bytes()
            if keys.any() or policy.allow_unprotected:
                model = open_file(data, policy, keys)
                print(f"{name}: opened, '{model.manifest['name']}' version {model.header['model_version']}, "
                      f"manifest {model.digests()[0]}, payload {model.digests()[1]}")
            else:
                print(f"{name}: verified, content {verify(data, policy)['content_id'].hex()}")
        except (Refused, OSError) as error:
            failures += 1
            print(f"{name}: {error}")
    return 1 if failures or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
