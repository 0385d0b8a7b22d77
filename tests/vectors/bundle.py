"""Trust bundles and what a reader remembers (docs/format.md 5.9): reading them for reader.py, writing them for tests. From the document and
schemas/bundle.fbs alone."""
import dataclasses
import struct
from typing import Callable

import flat
import reader
import writer
from reader import REVOKED, SCHEMAS, Key, Refused, need, sha256

SCHEMA = flat.Schema((SCHEMAS / "bundle.fbs").read_text(encoding="utf-8"))
HEAD = "<4sHHIIQQ16s16s"
LABEL = "coffer/v1/bundle-sig"
MAX_BODY = 262144
PUBLISHER, DISTRIBUTOR, LICENSOR, ROOT = ROLES = 1, 2, 3, 4
THRESHOLDS = dict(zip(ROLES, ("publishers", "distributors", "licensors", "roots")))
VERIFY_ONLY = 1


def check(condition, reason):
    need(condition, "format", reason)


@dataclasses.dataclass
class Envelope:
    """The fixed layout of a bundle."""

    number: int
    chain: bytes
    body: bytes
    digest: bytes
    entries: list


@dataclasses.dataclass
class Bundle:
    number: int
    chain: bytes
    digest: bytes
    issued: int
    expires: int
    thresholds: dict  # by role
    keys: dict  # role: list of Key
    min_versions: dict  # model id: (version, lowered_by)
    revoked_files: list
    revoked_licences: list
    clock_reset_by: int


def take(data):
    """The bundle at the front, and the rest."""
    check(len(data) >= 64 and data[:4] == b"COFT", "not a trust bundle")
    _, version, zero16, body_len, zero32, number, zero64, chain, zeros = struct.unpack_from(HEAD, data)
    need(version == 1, "unsupported", "version")
    check(zero16 == zero32 == zero64 == 0 and not any(zeros), "reserved bytes")
    check(number > 0, "number")
    need(1 <= body_len <= MAX_BODY, "limit", "length of the body")
    signed = 64 + body_len
    check(signed + 2 <= len(data), "cut")
    count, at = struct.unpack_from("<H", data, signed)[0], signed + 2
    check(count <= 8, "number of signatures")
    for _ in range(count):
        check(at + 36 <= len(data), "cut")
        at += 36 + struct.unpack_from("<H", data, at + 2)[0]
    check(at <= len(data), "cut")
    entries, used = reader.parse_signatures(data[signed + 2:at], "format")
    check(len(entries) == count and used == at - signed - 2, "entry of no algorithm")
    return Envelope(number, chain, data[64:signed], sha256(data[:signed]), entries), data[at:]


def decode(envelope):
    """5.9.1"""
    try:
        b = flat.decode(SCHEMA, envelope.body, 8, 8192, prefixed=False)
    except (flat.Malformed, flat.TooMany) as error:
        raise Refused("format", str(error)) from None
    need(b["format"] == 1 and not b["needs"], "unsupported", "of a newer reader")
    check(b["issued"] > 0 and (b["expires"] == 0 or b["expires"] >= b["issued"]), "dates")
    check(len(b["keys"]) <= 256, "number of keys")
    keys, seen = {role: [] for role in ROLES}, set()
    for key in b["keys"]:
        need(key["role"] in ROLES and key["state"] <= REVOKED, "unsupported", "role or state of a key")
        check(key["not_after"] == 0 or key["not_after"] >= key["not_before"], "dates of a key")
        check(key["state"] != VERIFY_ONLY or (key["not_after"] and key["role"] != ROOT), "key that only verifies")
        if key["alg"] != 1:
            continue
        public = bytes(key["public_key"])
        try:
            reader.check_public(public)
        except ValueError as error:
            raise Refused("format", str(error)) from None
        check(public not in seen, "a key twice")
        seen.add(public)
        keys[key["role"]].append(Key(public, key["state"], key["not_before"], key["not_after"]))
    thresholds = {role: b[THRESHOLDS[role]] for role in ROLES}
    for role in ROLES:
        usable = sum(key.state != REVOKED for key in keys[role])
        check(1 <= thresholds[role] <= min(8, usable) if usable else thresholds[role] == 0, "threshold")
    check(thresholds[ROOT], "no root")
    models = [bytes(entry["model"]) for entry in b["min_versions"]]
    check(len(models) <= 4096 and all(len(model) == 16 for model in models) and ascending(models), "min_versions")
    check(all(entry["lowered_by"] <= envelope.number for entry in b["min_versions"]), "lowered_by")
    check(b["clock_reset_by"] <= envelope.number, "clock_reset_by")
    return Bundle(envelope.number, envelope.chain, envelope.digest, b["issued"], b["expires"], thresholds, keys,
                  {model: (entry["version"], entry["lowered_by"]) for model, entry in zip(models, b["min_versions"])},
                  ids(b["revoked_files"], 32), ids(b["revoked_licences"], 16), b["clock_reset_by"])


def ascending(values):
    return all(a < b for a, b in zip(values, values[1:]))


def ids(numbers, size):
    data = bytes(numbers)
    values = [data[i:i + size] for i in range(0, len(data), size)]
    check(len(data) % size == 0 and len(values) <= 8192 and ascending(values), "list of what was revoked")
    return values


def check_roots(envelope, judge, issued=None):
    """5.9.3; without `issued`, the date is not known yet."""
    signers = reader.signers_of(envelope.entries, LABEL, envelope.digest, judge.keys[ROOT])
    count = sum(key.state != REVOKED if issued is None else key.counts(issued) for key in signers)
    need(count >= judge.thresholds[ROOT], "untrusted", f"{count} roots of bundle {judge.number} signed")


def load(data):
    """An anchor."""
    envelope, rest = take(data)
    check(not rest, "bytes after the bundle")
    bundle = decode(envelope)
    check_roots(envelope, bundle, bundle.issued)
    return bundle


def update(current, data):
    """The last bundle of a chain file, followed from `current` on."""
    start, newest = current.number, 0
    while data or not newest:
        envelope, data = take(data)
        newest = max(newest, envelope.number)
        need(envelope.number != current.number or envelope.digest == current.digest, "untrusted", "another bundle of this number")
        if envelope.number <= current.number:
            continue
        need(envelope.number == current.number + 1, "rollback", "bundles are missing")
        need(envelope.chain == current.chain, "untrusted", "another chain")
        check_roots(envelope, current)
        bundle = decode(envelope)
        check_roots(envelope, current, bundle.issued)
        check_roots(envelope, bundle, bundle.issued)
        current = bundle
    need(newest >= start, "rollback", "all bundles are older than the one in force")
    return current


def follow(policy, bundle):
    """Takes keys, thresholds and what was withdrawn from a bundle."""
    policy.bundle = bundle
    policy.trusted, policy.threshold = bundle.keys[PUBLISHER], max(policy.threshold, bundle.thresholds[PUBLISHER])
    policy.distributors = bundle.keys[DISTRIBUTOR]
    policy.distributor_threshold = max(policy.distributor_threshold, bundle.thresholds[DISTRIBUTOR])
    policy.licensors, policy.licensor_threshold = bundle.keys[LICENSOR], max(policy.licensor_threshold, bundle.thresholds[LICENSOR])
    policy.revoked_contents, policy.revoked_licences = bundle.revoked_files, bundle.revoked_licences


# --- 5.9.4: what is remembered ---------------------------------------------------------------------------------------

STATE_HEAD, RECORD = "<4sHHQ32sQII", "<16sQ32sQ"
MAX_RECORDS = 4096


@dataclasses.dataclass
class State:
    number: int = 0
    digest: bytes = bytes(32)
    latest: int = 0
    records: list = dataclasses.field(default_factory=list)  # (model id, model version, content id, generation)

    @staticmethod
    def decode(data):
        check(len(data) >= 96 and data[:4] == b"COST", "not a state")
        _, version, zero16, number, digest, latest, count, zero32 = struct.unpack_from(STATE_HEAD, data)
        need(version == 1, "unsupported", "version of the state")
        check(zero16 == zero32 == 0 and count <= MAX_RECORDS and len(data) == 64 + 64 * count + 32, "head of the state")
        check(data[-32:] == sha256(b"coffer/v1/state", data[:-32]), "checksum of the state")
        records = [struct.unpack_from(RECORD, data, 64 + 64 * i) for i in range(count)]
        check(ascending([record[:3] for record in records]), "order of the records")
        return State(number, digest, latest, records)

    def encode(self):
        data = struct.pack(STATE_HEAD, b"COST", 1, 0, self.number, self.digest, self.latest, len(self.records), 0)
        data += b"".join(struct.pack(RECORD, *record) for record in self.records)
        return data + sha256(b"coffer/v1/state", data)

    def adopt(self, bundle):
        need(bundle.number >= self.number, "rollback", "a newer bundle was seen")
        need(bundle.number > self.number or bundle.digest == self.digest, "rollback", "another bundle of this number was seen")
        for model, (version, lowered_by) in bundle.min_versions.items():
            if lowered_by > self.number:
                self.records = [r for r in self.records if r[0] != model or r[1] <= version]
        if bundle.clock_reset_by > self.number:
            self.latest = min(self.latest, bundle.issued)
        self.number, self.digest = bundle.number, bundle.digest

    def version(self, model):
        return max((r[1] for r in self.records if r[0] == model), default=0)

    def generation(self, content):
        return max((r[3] for r in self.records if r[2] == content), default=0)

    def see_time(self, now):
        if now >= self.latest + 300:
            self.latest = now

    def see(self, model, version, content, generation):
        generation = max(generation, self.generation(content))
        self.records = [r for r in self.records if r[2] != content and (r[0] != model or r[1] >= version)]
        need(len(self.records) < MAX_RECORDS, "limit", "the state is full")
        self.records = sorted([*self.records, (model, version, content, generation)])


class Store:
    """Keeps the bytes of a state; None: there is none."""

    def __init__(self, data):
        self.data = data

    def load(self):
        need(self.data is not None, "io", "no state")
        return State.decode(self.data)

    def save(self, state):
        self.data = state.encode()

    def text(self):
        return "none" if self.data is None else self.data.hex()


# --- writing ---------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Draft:
    """A bundle to write; on_* as in writer.Container."""

    body: dict
    signers: list
    number: int = 1
    chain: bytes = bytes(range(16))
    on_body: Callable = writer.same  # bytes of the FlatBuffer
    on_head: Callable = writer.same  # dict
    on_entries: Callable = writer.same  # list, what they sign
    on_count: Callable = writer.same  # number of entries

    def write(self):
        body = self.on_body(flat.encode(SCHEMA, {"format": 1, **self.body}, prefixed=False))
        head = self.on_head({"magic": b"COFT", "version": 1, "zero16": 0, "body_len": len(body), "zero32": 0, "number": self.number,
                             "zero64": 0, "chain": self.chain, "zeros": bytes(16)})
        start = struct.pack(HEAD, *head.values()) + body
        entries = self.on_entries([signer.entry(LABEL, sha256(start)) for signer in self.signers], start)
        return start + reader.le2(self.on_count(len(entries))) + b"".join(entries)


def key(role, public, state=0, not_before=0, not_after=0, alg=1):
    """A key for the body of a draft."""
    return {"role": role, "alg": alg, "public_key": list(public), "state": state, "not_before": not_before, "not_after": not_after}
