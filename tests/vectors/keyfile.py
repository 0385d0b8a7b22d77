"""Key files (docs/format.md 5.17), from the document alone."""
import base64
import binascii
import re

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_der_private_key

import reader
from reader import P25519, Refused, hmac_sha256, need

BLANKS = b" \t\r\n"
MAX_FILE = 65536
SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")
SPKI_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def check(condition, reason):
    need(condition, "refused", reason)


def block(data, label):
    """The DER in a text that is one PEM block of this label; ValueError for another text."""
    found = re.fullmatch(rb"-----BEGIN %b-----([A-Za-z0-9+/=\r\n]+)-----END %b-----" % (label, label), data.strip(BLANKS))
    if not found:
        raise ValueError(f"not one block {label.decode()}")
    digits = re.sub(rb"[\r\n]", b"", found[1])
    if not digits:
        raise ValueError("an empty block")
    return base64.b64decode(digits, validate=True)


def lines(data):
    """Lines that say something."""
    for line in data.split(b"\n"):
        line = line.removesuffix(b"\r")
        if line and not line.startswith(b"#"):
            yield line.decode("ascii")


def recipient(text):
    """An X25519 key, as age writes it."""
    public = reader.bech32_decode("age", text)
    u = int.from_bytes(public, "little")
    if len(public) != 32 or u >= P25519:
        raise ValueError("a second encoding, or another length")
    try:
        reader.x25519_shared(bytes(32), public)
    except ValueError:
        raise ValueError("a key of small order") from None
    return public


def secrets(data):
    """(kind, secret) of a file of keys that open."""
    if len(data) == 32:
        return [("raw", data)]
    if data.strip(BLANKS).startswith(b"-----BEGIN "):
        key = load_der_private_key(block(data, b"PRIVATE KEY"), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("not a key of P-256")
        return [("p256", key)]
    keys = [("x25519", reader.identity_from_text(line)) for line in lines(data)]
    if not keys:
        raise ValueError("no key")
    return keys


def recipients(data):
    if not data.strip(BLANKS).startswith(b"-----BEGIN "):
        return [("x25519", recipient(line)) for line in lines(data)]
    keys, end = [], b"-----END PUBLIC KEY-----"
    while data.strip(BLANKS):
        first, mark, data = data.partition(end)
        keys.append(("p256", p256_public(block(first + mark, b"PUBLIC KEY"))))
    return keys


def p256_public(der):
    point = der.removeprefix(SPKI_P256)
    if len(point) != 65 or len(der) != len(SPKI_P256) + 65:
        raise ValueError("not an uncompressed point of P-256")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    return point


def publisher(data):
    der = block(data, b"PUBLIC KEY")
    public = der.removeprefix(SPKI_ED25519)
    if len(der) != len(SPKI_ED25519) + 32:
        raise ValueError("not an Ed25519 key")
    reader.check_public(public)
    return public


def signing(data, passphrase):
    """The public key of a file that signs."""
    try:
        key = load_der_private_key(block(data, b"PRIVATE KEY"), None)
    except ValueError:
        key = load_der_private_key(block(data, b"ENCRYPTED PRIVATE KEY"), passphrase or b"")
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    return key.public_key().public_bytes_raw()


def named(kind, secret):
    public = {"raw": lambda s: hmac_sha256(s, b"coffer/v1/kek-id")[:16], "x25519": reader.x25519_public, "p256": reader.p256_public}
    return f"{kind} {public[kind](secret).hex()}"


def add(keys, data):
    """A file of keys that open, for reader.Keys."""
    lists = {"raw": keys.keks, "x25519": keys.identities, "p256": keys.p256}
    for kind, secret in secrets(data):
        lists[kind].append(secret)


def read(kind, data, passphrase):
    """The keys of a file as lines `key` of a vector; Refused when it is none of this kind."""
    check(1 <= len(data) <= MAX_FILE, "size of a key file")
    try:
        if kind == "keys":
            return list(dict.fromkeys(named(*key) for key in secrets(data)))
        if kind == "raw-key":
            check(len(data) == 32, "length of a raw key")
            return [named("raw", data)]
        if kind == "recipients":
            found = [f"{name} {public.hex()}" for name, public in recipients(data)]
            check(found, "no recipient")
            return found
        public = publisher(data) if kind == "public-key" else signing(data, passphrase)
        return [f"ed25519 {public.hex()}"]
    except (ValueError, TypeError, UnicodeDecodeError, binascii.Error, UnsupportedAlgorithm, InternalError) as error:
        raise Refused("refused", str(error)) from None
