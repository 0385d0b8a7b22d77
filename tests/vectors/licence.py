"""Licences (docs/format.md 5.8): reading them for reader.py, writing them for tests. From the document and schemas/licence.fbs alone."""
import dataclasses
import struct
from typing import Callable

import flat
import reader
import writer
from reader import GRANT, POST_QUANTUM_ONLY, SCHEMAS, Keys, Refused, hmac_sha256, need, sha256

SCHEMA = flat.Schema((SCHEMAS / "licence.fbs").read_text(encoding="utf-8"))
HEAD = "<4sHHII16s32s"
LABEL = "coffer/v1/licence-sig"
WRAP_KINDS = {2, 5, 6, 7}


def check(condition, reason):
    need(condition, "licence", reason)


def kek_id(key):
    return hmac_sha256(key, b"coffer/v1/kek-id")[:16]


@dataclasses.dataclass
class Licence:
    id: bytes
    claims: dict
    wraps: list
    kek_ids: list
    bound_to: bytes  # what S has in place of content_id


@dataclasses.dataclass
class Wraps:
    """What reader.unwrap looks at in a block."""

    slots: list
    content_id: bytes


def text(value, least, most):
    size = len(value.encode())
    return least <= size <= most and not any(ord(c) < 0x20 or ord(c) == 0x7F for c in value)


def accept(data, h, policy, now):
    """Step 8: a licence that permits this file, or the refusal."""
    try:
        return _accept(bytes(data), h, policy, now)
    except (Refused, flat.Malformed, flat.TooMany) as error:
        raise Refused("licence", str(error)) from None


def _accept(data, h, policy, now):
    check(len(data) >= 64, "shorter than its head")
    magic, version, wrap_count, claims_len, wraps_len, id_, reserved = struct.unpack_from(HEAD, data)
    check(magic == b"COFL" and version == 1 and not any(reserved), "head")
    check(1 <= wrap_count <= 64 and 1 <= claims_len <= 65536 and 1 <= wraps_len <= 65536, "head")
    signed = 64 + claims_len + wraps_len
    check(signed <= len(data), "cut")
    entries, used = reader.parse_signatures(data[signed:], "licence")
    check(signed + used == len(data), "bytes after the signatures")
    signers = reader.signers_of(entries, LABEL, sha256(data[:signed]), policy.licensors)
    check(signers, "not signed by a licensor")

    claims = flat.decode(SCHEMA, data[64:64 + claims_len], 8, 256, prefixed=False)
    wraps, end = reader.parse_slot_list(data[64 + claims_len:signed], 0, wrap_count)
    check(end == wraps_len and all(kind in WRAP_KINDS for kind, _, _ in wraps), "wraps")
    licence = Licence(id_, claims, wraps, sixteens(claims["kek_ids"]), sha256(data[:64 + claims_len]))
    check_claims(claims, licence)
    check(sum(key.counts(claims["issued"]) for key in signers) >= policy.licensor_threshold, "not signed by enough licensors")
    check(id_ not in policy.revoked_licences, "revoked")

    check(h["model_id"] in sixteens(claims["models"]), "another model")
    check(claims["min_version"] <= h["model_version"], "an older version")
    check(claims["max_version"] == 0 or h["model_version"] <= claims["max_version"], "a newer version")
    check(policy.product in ("", claims["product"]), "another product")
    check(claims["not_before"] <= now, "not yet valid")
    check(claims["not_after"] == 0 or now <= claims["not_after"] + claims["grace"], "expired")
    values = {kind: value.strip(" \t\r\n").encode() for kind, value in policy.hosts.items()}
    matches = sum(values.get(host["kind"], b"") != b"" and
                  hmac_sha256(bytes(host["salt"]), values[host["kind"]]) == bytes(host["mac"]) for host in claims["hosts"])
    check(matches >= claims["hosts_needed"], "another host")
    return licence


def sixteens(numbers):
    data = bytes(numbers)
    check(len(data) % 16 == 0, "list of ids")
    return [data[i:i + 16] for i in range(0, len(data), 16)]


def check_claims(c, licence):
    """5.8.1"""
    check(c["format"] == 1 and not c["needs"] and c["suite"] in (1, 2), "of a newer reader")
    check(text(c["product"], 1, 256) and text(c["holder"], 0, 1024), "product or holder")
    check(c["not_after"] == 0 or c["not_after"] >= c["not_before"], "dates")
    check(c["grace"] <= 3660 * 86400 and c["not_after"] + c["grace"] < 1 << 64, "grace")
    models = sixteens(c["models"])
    check(1 <= len(models) <= 256 and all(a < b for a, b in zip(models, models[1:])), "models")
    check(c["max_version"] == 0 or c["max_version"] >= c["min_version"], "versions")
    check(len(c["features"]) <= 64 and all(text(f, 1, 64) for f in c["features"]) and
          len(set(c["features"])) == len(c["features"]), "features")
    check(len(c["hosts"]) <= 16 and (1 <= c["hosts_needed"] <= len(c["hosts"]) if c["hosts"] else c["hosts_needed"] == 0), "hosts")
    for host in c["hosts"]:
        check(1 <= len(host["kind"]) <= 64 and set(host["kind"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789-."), "kind of a host")
        check(len(host["salt"]) == 32 and len(host["mac"]) == 32, "binding of a host")
    check(len(licence.kek_ids) == len(licence.wraps), "kek_ids")


def unwrap(licences, blocks, h, keys, policy):
    """Step 9 for a file with 0x4: the DEK through product keys alone."""
    failure, calls = Refused("no_recipient", "no wrap for the keys given"), reader.Calls(policy)
    weak = (2, 5) if h["incompat"] & POST_QUANTUM_ONLY else ()
    raw = [dataclasses.replace(block, slots=[s for s in block.slots if s[0] == 1]) for block in blocks]
    for licence in licences:
        products = []
        for expected in set(licence.kek_ids):
            wraps = [w for w, id_ in zip(licence.wraps, licence.kek_ids) if id_ == expected and w[0] not in weak]
            try:
                key, _ = reader.unwrap([Wraps(wraps, licence.bound_to)], licence.claims["suite"], keys, policy, calls)
                need(kek_id(key) == expected, "unwrap", "not the key that the claims name")
                products.append(key)
            except Refused as refused:
                if refused.class_ != "no_recipient":
                    failure = refused
        if products:
            try:
                dek, used = reader.unwrap(raw, h["suite"], Keys(keks=products), policy, calls)
                return dek, blocks[raw.index(used)]
            except Refused as refused:
                failure = refused
    raise failure


@dataclasses.dataclass
class Order:
    """A licence to write; on_* as in writer.Container."""

    claims: dict
    product_keys: list
    recipients: list
    signers: list
    seed: str = "licence"
    suite: int = 1
    on_claims: Callable = writer.same  # bytes of the FlatBuffer
    on_head: Callable = writer.same  # dict
    on_wraps: Callable = writer.same  # list of (kind, flags, slot_id, body)
    on_wraps_bytes: Callable = writer.same
    on_entries: Callable = writer.same  # list, what they sign
    on_bound: Callable = writer.same  # what S has in place of content_id

    def write(self):
        random = writer.Random(self.seed)
        pairs = [(recipient, key) for key in self.product_keys for recipient in self.recipients]
        claims = {"format": 1, "suite": self.suite, "kek_ids": list(b"".join(kek_id(key) for _, key in pairs)), **self.claims}
        buffer = self.on_claims(flat.encode(SCHEMA, claims, prefixed=False))
        sizes = sum(24 + len(body(self.suite, bytes(88), key, writer.Random("size"))) for (_, body), key in pairs)
        head = self.on_head({"magic": b"COFL", "version": 1, "wraps": len(pairs), "claims_len": len(buffer), "wraps_len": sizes,
                             "id": random(16), "reserved": bytes(32)})
        start = struct.pack(HEAD, *head.values()) + buffer
        bound, wraps = self.on_bound(sha256(start)), []
        for (kind, body), key in pairs:
            slot_id = random(16)
            wraps.append((kind, 0, slot_id, body(self.suite, reader.slot_context(kind, slot_id, bound), key, random)))
        wraps = b"".join(struct.pack("<HHI16s", kind, flags, len(body), slot_id) + body
                         for kind, flags, slot_id, body in self.on_wraps(wraps))
        start += self.on_wraps_bytes(wraps)
        return start + b"".join(self.on_entries([s.entry(LABEL, sha256(start)) for s in self.signers], start))
