"""Vectors of generate.py for keys that lie elsewhere, trust bundles, what is remembered, and key files."""
import base64
import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import bundle
import flat
import generate
import licence
import reader
from bundle import DISTRIBUTOR, LICENSOR, PUBLISHER, ROOT, Draft, State, key
from flat import Repeat
from generate import DEK, DISTRIBUTOR as SHOP, IDENTITY, KEK, KEK_LINE, NAME, OTHER_KEK, PRODUCT_KEY, SECOND, STRANGER, VENDOR, \
    base, flip, header_of, le4, secret, tiny, vector
from generate import LICENSOR as OFFICE
from reader import identity_text, le2, le8, model_id, p256_key, p256_public, sha256, x25519_public
from writer import Random, Signer, as_is, entry, grant, to_kek, to_p256, to_password, to_x25519

P256, OTHER_P256 = secret("p256"), secret("other p256")
P256_PUBLIC, OTHER_P256_PUBLIC = (p256_public(p256_key(s)) for s in (P256, OTHER_P256))
P256_LINE, DEVICE_LINE = f"p256: {P256.hex()}", f"p256-device: {P256.hex()}"
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
NET, OTHER_NET = model_id(NAME), model_id("com.example.other")


def plain(name, kind, expect, comment, data, *lines):
    """A file that is no container."""
    assert name not in generate.VECTORS and expect in (*generate.CLASSES, "refused"), name
    head = [f"file: {kind}", f"expect: {expect}", f"comment: {comment}", *lines]
    generate.VECTORS[name] = "\n".join(head).encode() + b"\n\n" + data


def changed(data, at, new):
    at += len(data) if at < 0 else 0
    return data[:at] + new + data[at + len(new):]


# --- 5.7.4: slots of kinds 4 and 5 -----------------------------------------------------------------------------------

def root_of(square):
    """y of a point of P-256, or None."""
    y = pow(square, (PRIME + 1) // 4, PRIME)
    return y if y * y % PRIME == square % PRIME else None


def small_x():
    """A point whose x has a second encoding of 32 bytes: x + p is below 2^256."""
    x = next(x for x in range(1, 100) if root_of(x**3 - 3 * x + B) is not None)
    return x, root_of(x**3 - 3 * x + B)


def p256_slots():
    ok = "success"
    mine = {"recipients": [to_p256(P256_PUBLIC)]}

    def case(name, expect, comment, file, keys=(P256_LINE,), **more):
        vector(f"p256_{name}", expect, comment, file, verify=more.pop("verify", "success"), keys=keys, **more)
    case("valid", ok, "a P-256 recipient", base(**mine))
    case("valid_chacha", ok, "a P-256 recipient, suite 2", tiny(suite=2, **mine))
    case("valid_device", ok, "the key is in a device", base(**mine), keys=[DEVICE_LINE])
    case("valid_second_key", ok, "the second of two keys", base(**mine), keys=[f"p256: {OTHER_P256.hex()}", P256_LINE])
    case("valid_among", ok, "a P-256 slot between others",
         tiny(recipients=[to_x25519(x25519_public(IDENTITY)), to_p256(OTHER_P256_PUBLIC), to_p256(P256_PUBLIC), to_kek(KEK)]))
    case("none_for_key", "no_recipient", "a P-256 slot for somebody else", base(recipients=[to_p256(OTHER_P256_PUBLIC)]))
    data = tiny(recipients=[to_kek(OTHER_KEK)]).write()
    made = grant(data, DEK, [to_p256(P256_PUBLIC)], Random("p256 grant"))
    vector("grant_p256", ok, "a grant to a P-256 key", tiny(recipients=[to_kek(OTHER_KEK)]), keys=[P256_LINE, f"grant: {made.hex()}"])
    case("post_quantum", "format", "a P-256 slot where no classical one is allowed", base(incompat=2, **mine), verify="format")

    def slot(name, expect, comment, change, verify="success", keys=(P256_LINE,)):
        case(name, expect, comment, tiny(**mine, on_slots=lambda s: [change(*x) for x in s]), verify=verify, keys=keys)
    body = lambda at: (lambda k, f, i, b: (k, f, i, b[:at] + bytes([b[at] ^ 1]) + b[at + 1:]))  # noqa: E731
    for name, at, expect in (("hint", 0, "no_recipient"), ("ct", 69, "unwrap"), ("tag", 116, "unwrap")):
        slot(name, expect, f"{name} of a P-256 slot; MAC agrees", body(at))
    slot("short", "format", "a P-256 slot a byte short", lambda k, f, i, b: (k, f, i, b[:-1]), verify="format")
    slot("long", "format", "a P-256 slot a byte long", lambda k, f, i, b: (k, f, i, b + b"\0"), verify="format")
    slot("empty", "format", "a P-256 slot without a body", lambda k, f, i, b: (k, f, i, b""), verify="format")
    slot("id", "unwrap", "slot_id is bound by the wrapping; MAC agrees", lambda k, f, i, b: (k, f, b"0123456789abcdef", b))

    def enc(name, comment, point, keys=(P256_LINE,)):
        assert len(point) == 65
        slot(f"enc_{name}", "unwrap", comment + "; hint and MAC agree",
             lambda k, f, i, b: (k, f, i, sha256(b"coffer/v1/hint", point, P256_PUBLIC)[:4] + point + b[69:]), keys=keys)
    x, y = P256_PUBLIC[1:33], P256_PUBLIC[33:]
    point = lambda x, y, form=4: bytes([form]) + x.to_bytes(32, "big") + y.to_bytes(32, "big")  # noqa: E731
    enc("other", "another point of the curve", OTHER_P256_PUBLIC)
    enc("off_curve", "the last bit of y: not on the curve", changed(P256_PUBLIC, 64, bytes([y[31] ^ 1])))
    enc("off_curve_device", "not on the curve, and the key is in a device, which is not asked",
        changed(P256_PUBLIC, 64, bytes([y[31] ^ 1])), keys=[DEVICE_LINE])
    enc("other_curve", "a point of the curve with another b", point(int.from_bytes(x, "big"), 1))
    enc("zeros", "x and y of 0", point(0, 0))
    enc("infinity", "the point at infinity, filled up", bytes(65))
    enc("compressed", "a compressed point, filled up", bytes([2 + (y[31] & 1)]) + x + bytes(32))
    enc("hybrid", "the hybrid form of a good point", bytes([6 + (y[31] & 1)]) + x + y)
    enc("form_5", "a form that there is not", b"\5" + x + y)
    small, its_y = small_x()
    enc("x_not_reduced", "x plus the prime", point(small + PRIME, its_y))
    enc("x_is_prime", "x is the prime", point(PRIME, root_of(B)))
    enc("y_largest", "y of all ones", point(small, 2**256 - 1))

    def wrapped(suite, context, dek, random, info=b"", aad=b"", kem=reader.P256_KEM, hashed=P256_PUBLIC):
        own = ec.derive_private_key(1 + int.from_bytes(random(31), "big"), ec.SECP256R1())
        enc = p256_public(own)
        wrap, nonce = reader.hpke_key(kem, suite, reader.p256_shared(own, P256_PUBLIC), enc, hashed, context + info)
        return sha256(b"coffer/v1/hint", enc, hashed)[:4] + enc + reader.AEADS[suite](wrap).encrypt(nonce, dek, aad)

    def made_as(name, comment, change, expect="unwrap"):
        case(name, expect, comment, tiny(recipients=[(5, change)]))
    made_as("info", "the wrapping has a longer info than S", lambda *a: wrapped(*a, info=b"\0"))
    made_as("aad", "the wrapping has S as AAD too", lambda s, c, d, r: wrapped(s, c, d, r, aad=c))
    made_as("kem_id", "the key schedule names the KEM of X25519", lambda *a: wrapped(*a, kem=reader.X25519_KEM))
    made_as("other_suite", "wrapped with the AEAD of suite 2", lambda s, *a: wrapped(3 - s, *a))
    made_as("of_other_file", "a slot of another file", lambda s, c, d, r: wrapped(s, c[:-32] + secret("other file"), d, r))
    made_as("kind_2_context", "S names kind 2", lambda s, c, d, r: wrapped(s, c[:15] + le2(2) + c[17:], d, r))
    made_as("hashed_compressed", "hint and key schedule over the compressed public key",
            lambda *a: wrapped(*a, hashed=bytes([2 + (y[31] & 1)]) + x), expect="no_recipient")
    made_as("other_dek", "the slot holds the key of another file", lambda s, c, d, r: wrapped(s, c, secret("other dek"), r), "commitment")
    case("damaged_then_good", ok, "the first slot for the key is damaged, the second opens",
         tiny(recipients=mine["recipients"] * 2, on_slots=lambda s: [(*s[0][:3], changed(s[0][3], 116, bytes([s[0][3][116] ^ 1]))), s[1]]))
    case("flags", "format", "an unknown flag of a P-256 slot", tiny(**mine, on_slots=lambda s: [(s[0][0], 2, *s[0][2:])]), verify="format")
    case("critical", ok, "a critical P-256 slot", tiny(**mine, on_slots=lambda s: [(s[0][0], 1, *s[0][2:])]))

    claims = {"issued": 1_700_000_000, "product": "detector", "models": list(NET)}
    file = tiny(incompat=4, recipients=[to_kek(PRODUCT_KEY)])

    def licensed(name, expect, comment, recipients, keys=(P256_LINE,), file=file, lines=()):
        order = licence.Order(claims=claims, product_keys=[PRODUCT_KEY], recipients=recipients, signers=[OFFICE]).write()
        vector(f"licence_{name}", expect, comment, file, verify="success", keys=[*keys, *lines, f"licence: {order.hex()}"],
               extra=[f"licensor: {OFFICE.public.hex()}", "time: 1750000000"])
    licensed("p256", ok, "the product key wrapped for a P-256 key", [to_p256(P256_PUBLIC)])
    licensed("p256_device", ok, "the product key wrapped for a P-256 key in a device", [to_p256(P256_PUBLIC)], [DEVICE_LINE])
    licensed("p256_other", "no_recipient", "the product key wrapped for another P-256 key", [to_p256(OTHER_P256_PUBLIC)])
    licensed("kms", "licence", "a product key that a key service holds: no kind of wrap", [to_service("acme-kms://eu/a")],
             ["kms: acme-kms:"])
    quantum = tiny(incompat=6, recipients=[to_kek(PRODUCT_KEY)])
    licensed("p256_post_quantum", "no_recipient", "a classical wrap is passed over where the file allows none", [to_p256(P256_PUBLIC)],
             file=quantum)
    # Nine wraps of one product key for a device: the calls of an open are eight, licences included.
    nine = [to_p256_damaged()] * 8 + [to_p256(P256_PUBLIC)]
    licensed("calls", "unwrap", "the ninth wrap for a device: eight calls are made", nine, [DEVICE_LINE])
    licensed("calls_at_hand", ok, "the ninth wrap for a key at hand", nine)
    case("calls_8", ok, "the eighth slot for a device", tiny(recipients=nine[1:]), keys=[DEVICE_LINE])
    case("calls_9", "unwrap", "the ninth slot for a device: eight calls are made", tiny(recipients=nine), keys=[DEVICE_LINE])
    case("calls_9_at_hand", ok, "the ninth slot for a key at hand", tiny(recipients=nine))


def to_p256_damaged():
    kind, body = to_p256(P256_PUBLIC)
    return kind, lambda *a: changed(body(*a), 116, bytes([body(*a)[116] ^ 1]))


def service_blob(uri, context, answer):
    """What the testkit's key service makes of a DEK (README.md)."""
    return answer + sha256(b"coffer/testkit/kms", uri, b"\0", context, answer)


def kms_body(uri, blob):
    return le2(len(uri)) + uri + le2(len(blob)) + blob


def to_service(uri, answer=lambda dek: dek, context=lambda s: s):
    uri = uri.encode() if isinstance(uri, str) else uri
    return 4, lambda suite, s, dek, random: kms_body(uri, service_blob(uri, context(s), answer(dek)))


def kms_slots():
    ok, none = "success", "no_recipient"
    uri = "acme-kms://eu/product"

    def case(name, expect, comment, recipients=None, lines=("kms: acme-kms://eu/",), verify="success", **changes):
        vector(f"kms_{name}", expect, comment, tiny(recipients=recipients or [to_service(uri)], **changes), verify=verify, keys=lines)
    case("valid", ok, "a key service")
    case("valid_chacha", ok, "a key service, suite 2", suite=2)
    case("valid_post_quantum", ok, "a key service where classical slots are not allowed", incompat=2)
    case("valid_longest", ok, "a URI of 512 characters", [to_service(uri + "/" * (512 - len(uri)))])
    case("valid_shortest", ok, "a URI of 3 characters", [to_service("a:b")], ["kms: a:"])
    case("valid_characters", ok, "every character that a URI may have", [to_service("a+1-.Z:-._~:/?#[]@!$&'()*+,;=%41")], ["kms: a+1-.Z:"])
    case("not_asked", none, "no service is allowed", lines=())
    case("down", "unwrap", "the service refuses", lines=["kms-down: acme-kms:"])
    case("down_then_key", ok, "the service refuses, another slot opens", [to_service(uri), to_kek(KEK)], ["kms-down: acme-kms:", KEK_LINE])
    case("context", "unwrap", "the service made the blob for another slot", [to_service(uri, context=lambda s: s[:17] + bytes(16) + s[33:])])
    case("of_other_file", "unwrap", "the service made the blob for another file", [to_service(uri, context=lambda s: s[:33] + secret("other file"))])
    case("kind_5_context", "unwrap", "the service made the blob for a slot of kind 5", [to_service(uri, context=lambda s: s[:15] + le2(5) + s[17:])])
    case("blob", "unwrap", "a bit of the blob; MAC agrees", on_slots=lambda s: [(*s[0][:3], changed(s[0][3], -1, bytes([s[0][3][-1] ^ 1])))])
    case("uri", "unwrap", "another URI below the prefix; MAC agrees", on_slots=lambda s: [(*s[0][:3], s[0][3].replace(b"product", b"prodUct"))])
    case("id", "unwrap", "slot_id is part of S; MAC agrees", on_slots=lambda s: [(*s[0][:2], b"0123456789abcdef", s[0][3])])
    case("other_dek", "commitment", "the service gives the key of another file", [to_service(uri, answer=lambda _: secret("other dek"))])
    for size in (0, 1, 31, 33, 64):
        case(f"answer_{size}", "unwrap", f"the service gives {size} bytes", [to_service(uri, answer=lambda d, n=size: (d + d)[:n])])
    case("second", ok, "the service refuses the first slot and opens the second", [to_service(uri, context=lambda s: b""), to_service(uri)])
    refused = [to_service(uri, context=lambda s: b"")]
    case("calls_8", ok, "the eighth slot of a service", refused * 7 + [to_service(uri)])
    case("calls_9", "unwrap", "the ninth slot of a service: eight calls are made", refused * 8 + [to_service(uri)])
    case("calls_foreign", ok, "slots of services that are not allowed cost no call", [to_service("evil-kms:x")] * 9 + [to_service(uri)])
    case("calls_shared", "unwrap", "four slots for a device, four of a service, and a ninth: eight calls are made",
         [to_p256_damaged()] * 4 + refused * 4 + [to_service(uri)], ["kms: acme-kms:", DEVICE_LINE])
    case("calls_key", ok, "nine slots of a service that refuses, then a key at hand", refused * 9 + [to_kek(KEK)], ["kms: acme-kms:", KEK_LINE])
    case("calls_password", ok, "nine slots of a service that refuses, then a password", refused * 9 + [to_password(b"x")],
         ["kms: acme-kms:", "password: x"])
    data = tiny(recipients=[to_kek(OTHER_KEK)]).write()
    made = grant(data, DEK, [to_service(uri)], Random("kms grant"))
    case("grant", ok, "a grant to a key service", [to_kek(OTHER_KEK)], ["kms: acme-kms:", f"grant: {made.hex()}"])
    shared = tiny(recipients=[to_kek(OTHER_KEK), to_service(uri)]).write()
    calls = grant(shared, DEK, refused * 8, Random("kms grant"))
    case("grant_calls", "unwrap", "eight slots of a grant and one of the file: eight calls are made, those of the grant",
         [to_kek(OTHER_KEK), to_service(uri)], ["kms: acme-kms:", f"grant: {calls.hex()}"])

    # Prefixes.
    def below(name, expect, prefix, where, comment):
        case(f"prefix_{name}", expect, comment, [to_service(where)], [f"kms: {prefix}"])
    below("exact", ok, "acme-kms://eu/product", "acme-kms://eu/product", "the prefix is the URI")
    below("scheme", ok, "acme-kms:", "acme-kms:key", "the prefix is the scheme")
    for name, tail in (("slash", "/x"), ("query", "?x"), ("fragment", "#x"), ("semicolon", ";x")):
        below(name, ok, "acme-kms://eu", "acme-kms://eu" + tail, f"goes on with {tail[0]} after a prefix without an end")
    below("other_scheme", none, "acme-kms:", "evil-kms://eu/x", "another scheme")
    below("scheme_case", none, "acme-kms:", "ACME-KMS://eu/x", "the scheme in capitals")
    below("host_longer", none, "acme-kms://eu", "acme-kms://eu.evil.example/x", "a longer host")
    below("user", none, "acme-kms://eu", "acme-kms://eu@evil.example/x", "the prefix as a user's name")
    below("port", none, "acme-kms://eu", "acme-kms://eu:99/x", "a port")
    below("shorter", none, "acme-kms://eu/", "acme-kms://eu", "the prefix without its slash")
    below("folder_longer", none, "acme-kms://eu/models", "acme-kms://eu/models2/x", "a longer folder")
    for name, tail in (("dots", "../us"), ("dot", "./x"), ("dots_encoded", "%2e%2E/us"), ("dots_half", ".%2e/us"),
                       ("slash_encoded", "a%2F..%2fus"), ("dots_last", "a/.."), ("dots_query", "a?x/../y"), ("dots_semicolon", "..;x/us")):
        below(name, none, "acme-kms://eu/", "acme-kms://eu/" + tail, f"{tail} below the prefix")
    below("three_dots", ok, "acme-kms://eu/", "acme-kms://eu/.../x", "three dots are a name")
    below("dots_in_name", ok, "acme-kms://eu/", "acme-kms://eu/a..b", "dots inside a name")
    case("prefix_longest", ok, "of two prefixes the longer one is asked", lines=["kms-down: acme-kms:", "kms: acme-kms://eu/"])
    case("prefix_longest_down", "unwrap", "of two prefixes only the longer one is asked", lines=["kms: acme-kms:", "kms-down: acme-kms://eu/"])

    # The body: seen without a key too.
    def body(name, comment, data):
        case(f"body_{name}", "format", comment, [to_kek(KEK), as_is(4, data)], [KEK_LINE], verify="format")
    good = kms_body(b"a:b", b"blob")
    body("empty", "no body", b"")
    body("one_byte", "half a length", b"\3")
    body("cut", "a byte short", good[:-1])
    body("long", "a byte behind the blob", good + b"\0")
    body("no_blob_len", "it ends after the URI", good[:5])
    body("half_blob_len", "half a length of the blob", good[:6])
    body("blob_empty", "an empty blob", kms_body(b"a:b", b""))
    body("blob_4097", "a blob of 4,097 bytes", kms_body(b"a:b", bytes(4097)))
    body("uri_len_more", "uri_len reaches beyond the body", le2(0xFFFF) + good[2:])
    body("blob_len_more", "blob_len reaches beyond the body", good[:5] + le2(5) + good[7:])
    body("blob_len_less", "blob_len a byte less", good[:5] + le2(3) + good[7:])
    body("uri_513", "a URI of 513 characters", kms_body(b"a:" + b"b" * 511, b"blob"))
    for name, where in (("no_scheme", b"abc"), ("empty_scheme", b":ab"), ("empty_rest", b"ab:"), ("scheme_digit", b"1a:b"), ("scheme_slash", b"a/b:c"),
                        ("space", b"a:b c"), ("nul", b"a:b\0"), ("newline", b"a:b\n"), ("quote", b'a:"b"'), ("backslash", b"a:\\b"),
                        ("utf8", "a:ü".encode()), ("high", b"a:\xff"), ("empty_uri", b"")):
        body(f"uri_{name}", f"a URI that is none: {where!r}".replace("\\", ""), kms_body(where, b"blob"))
    case("body_longest", ok, "the longest URI and blob beside a key", [to_kek(KEK), as_is(4, kms_body(b"a:" + b"b" * 510, bytes(4096)))], [KEK_LINE])
    case("critical", ok, "a critical slot of a key service", on_slots=lambda s: [(s[0][0], 1, *s[0][2:])])
    vector("kms_mirror", "header_auth", "a mirror added a slot of a service that is not allowed", tiny(), verify="success",
           keys=[KEK_LINE, "kms: acme-kms:"], patch=lambda d: generate._add_slot(d, 4, kms_body(b"evil-kms:x", b"blob")))


# --- 5.9: trust bundles ----------------------------------------------------------------------------------------------

ROOTS = [Signer(secret(f"root {i}")) for i in range(4)]
ISSUED = 1_700_000_000
T1 = 1_750_000_000


def keys_of(*roots):
    return [key(ROOT, root.public) for root in roots or ROOTS[:3]]


def draft(number=1, signers=None, **body):
    """Three roots of which two must sign, one publisher, one distributor, one licensor."""
    hooks = {name: body.pop(name) for name in ("on_body", "on_head", "on_entries", "on_count", "chain") if name in body}
    fields = {"issued": ISSUED, "publishers": 1, "distributors": 1, "licensors": 1, "roots": 2,
              "keys": [*keys_of(), key(PUBLISHER, VENDOR.public), key(DISTRIBUTOR, SHOP.public), key(LICENSOR, OFFICE.public)]}
    return Draft({**fields, **body}, ROOTS[:2] if signers is None else signers, number, **hooks)


def digest(data):
    return sha256(data[:64 + struct.unpack_from("<I", data, 8)[0]])


def with_publisher(**fields):
    """The list of keys with the publisher's changed."""
    mine = key(PUBLISHER, VENDOR.public)
    return [*keys_of(), {**mine, **fields}, key(DISTRIBUTOR, SHOP.public), key(LICENSOR, OFFICE.public)]


def anchors():
    def case(name, expect, comment, data):
        data = data.write() if isinstance(data, Draft) else data
        plain(f"bundle_{name}", "bundle", expect, comment, data, *([f"digest: {digest(data).hex()}"] if expect == "success" else []))

    def rule(name, comment, expect="format", **fields):
        case(name, expect, comment + "; signed", draft(**{"number": 5, **fields}))
    ok, bad = "success", "format"
    good = draft().write()
    case("valid", ok, "three roots of which two signed", good)
    case("valid_all_roots", ok, "all three roots signed", draft(signers=ROOTS[:3]))
    case("valid_last_roots", ok, "two other roots signed", draft(signers=[ROOTS[2], ROOTS[0]]))
    case("valid_strangers", ok, "entries of strangers and of an unknown algorithm beside those of roots",
         draft(on_entries=lambda e, s: [entry(1, sha256(b"?"), bytes(64)), entry(9, sha256(b"!"), b"x"), *e]))
    case("valid_eight_entries", ok, "eight entries", draft(on_entries=lambda e, s: [*e, *(entry(9, sha256(bytes([i])), b"x") for i in range(6))]))
    case("valid_highest_number", ok, "the highest number", draft(2**64 - 1))
    rule("valid_everything", "every field used", ok, expires=ISSUED, min_versions=[{"model": [1] * 16, "version": 2**64 - 1, "lowered_by": 5},
         {"model": [2] * 16}], revoked_files=[1] * 32 + [2] * 32, revoked_licences=[1] * 16 + [2] * 16, clock_reset_by=5,
         keys=[*with_publisher(not_before=1, not_after=1), key(PUBLISHER, SECOND.public, 1, 0, ISSUED), key(PUBLISHER, STRANGER.public, 2)])
    rule("valid_roots_alone", "nobody but roots", ok, keys=keys_of(), publishers=0, distributors=0, licensors=0)
    rule("valid_one_root", "one root", ok, keys=keys_of(ROOTS[0]), publishers=0, distributors=0, licensors=0, roots=1)
    rule("valid_unknown_alg", "a key of an unknown algorithm is left out", ok, keys=[*with_publisher(), key(PUBLISHER, b"k" * 1952, alg=2)])
    rule("valid_newer_schema", "a field that this version does not know is ignored", ok, on_body=lambda b: newer_body(b))

    # Head and entries.
    def head(name, comment, expect=bad, **fields):
        case(f"head_{name}", expect, comment + "; signed", draft(on_head=lambda h: {**h, **fields}))
    head("magic", "another magic", magic=b"COFS")
    head("version_0", "version 0", "unsupported", version=0)
    head("version_2", "version 2", "unsupported", version=2)
    for name, zeros in (("zero16", 1), ("zero32", 1), ("zero64", 2**63), ("zeros", bytes(15) + b"\1")):
        head(name, "reserved bytes", **{name: zeros})
    head("number_0", "number 0", number=0)
    head("body_len_0", "an empty body", "limit", body_len=0)
    head("body_len_large", "a body of 262,145 bytes", "limit", body_len=262145)
    head("body_len_huge", "a body of 2^32 - 1 bytes", "limit", body_len=2**32 - 1)
    head("body_len_more", "body_len beyond the file", body_len=262144)
    case("empty", bad, "an empty file", b"")
    for size in (3, 63, 64, len(good) - 202, len(good) - 201, len(good) - 200, len(good) - 100, len(good) - 1):
        case(f"cut_{size - len(good) if size > 64 else size}".replace("-", "m"), bad, f"cut to {size} bytes", good[:size])
    case("extended", bad, "a byte behind the bundle", good + b"\0")
    case("two", bad, "two bundles where one is asked for", good + draft(2).write())
    case("count_less", bad, "one signature fewer is counted than there are", draft(on_count=lambda n: n - 1))
    case("count_more", bad, "one signature more is counted than there are", draft(on_count=lambda n: n + 1))
    case("nine", bad, "nine entries", draft(on_entries=lambda e, s: [*e, *(entry(9, sha256(bytes([i])), b"x") for i in range(7))]))
    case("entry_alg_0", bad, "an entry of algorithm 0", draft(on_entries=lambda e, s: [*e, entry(0, sha256(b"x"), b"x")]))
    case("entry_empty", bad, "an entry without a signature", draft(on_entries=lambda e, s: [*e, entry(9, sha256(b"x"), b"")]))
    case("entry_63", bad, "an Ed25519 signature of 63 bytes", draft(on_entries=lambda e, s: [e[0], e[1][:2] + le2(63) + e[1][4:-1]]))
    case("entry_twice", bad, "a root signed twice", draft(on_entries=lambda e, s: [e[0], e[0]]))
    case("unsigned", "untrusted", "no signature", draft(signers=[]))
    case("one_root", "untrusted", "one root signed, two are needed", draft(signers=ROOTS[:1]))
    case("publisher_signed", "untrusted", "a root and a publisher signed", draft(signers=[ROOTS[0], VENDOR]))
    case("stranger_signed", "untrusted", "a root and a stranger signed", draft(signers=[ROOTS[0], ROOTS[3]]))
    case("signature", "signature", "a bit of a root's signature", flip(len(good) - 3)(good))
    case("signature_third", "signature", "two roots signed well, the third wrongly",
         draft(signers=ROOTS[:3], on_entries=lambda e, s: [e[0], e[1], e[2][:-1] + bytes([e[2][-1] ^ 1])]))
    case("label", "signature", "signed under the label of licences",
         draft(on_entries=lambda e, s: [r.entry("coffer/v1/licence-sig", sha256(s)) for r in ROOTS[:2]]))
    case("body_flipped", "signature", "issued one second later, not signed again",
         good.replace(le8(ISSUED), le8(ISSUED + 1)))
    case("number_flipped", "signature", "another number, not signed again", changed(good, 16, b"\2"))
    case("chain_flipped", "signature", "another chain, not signed again", changed(good, 33, b"\7"))
    case("root_revoked", "untrusted", "one of the two roots that signed is revoked", draft(keys=[key(ROOT, ROOTS[0].public, 2), *keys_of(*ROOTS[1:4])], publishers=0, distributors=0, licensors=0))
    case("root_late", "untrusted", "the time of a root that signed was over",
         draft(keys=[key(ROOT, ROOTS[0].public, 0, 0, ISSUED - 1), *keys_of(*ROOTS[1:3])], publishers=0, distributors=0, licensors=0))
    case("root_early", "untrusted", "the time of a root that signed had not come",
         draft(keys=[key(ROOT, ROOTS[0].public, 0, ISSUED + 1), *keys_of(*ROOTS[1:3])], publishers=0, distributors=0, licensors=0))
    case("valid_root_in_time", ok, "the time of a root that signed is this second",
         draft(keys=[key(ROOT, ROOTS[0].public, 0, ISSUED, ISSUED), *keys_of(*ROOTS[1:3])], publishers=0, distributors=0, licensors=0))

    # Body.
    rule("format_0", "format 0", "unsupported", format=0)
    rule("format_2", "format 2", "unsupported", format=2)
    rule("needs", "needs something unknown", "unsupported", needs=["x"])
    rule("issued", "no date", issued=0)
    rule("expires", "it expires a second before it was issued", expires=ISSUED - 1)
    rule("role_0", "a key of role 0", "unsupported", keys=with_publisher(role=0))
    rule("role_5", "a key of role 5", "unsupported", keys=with_publisher(role=5))
    rule("role_5_unknown_alg", "a key of role 5 and of an unknown algorithm", "unsupported", keys=[*with_publisher(), key(5, b"k", alg=2)])
    rule("state_3", "a key in state 3", "unsupported", keys=with_publisher(state=3))
    rule("key_dates", "a key ends before it begins", keys=with_publisher(not_before=9, not_after=8))
    rule("key_verify_only", "a key that only verifies, without an end", keys=with_publisher(state=1))
    rule("root_verify_only", "a root that only verifies", keys=[*with_publisher(), key(ROOT, ROOTS[3].public, 1, 0, ISSUED)])
    rule("key_31", "a key of 31 bytes", keys=with_publisher(public_key=list(VENDOR.public[:31])))
    rule("key_33", "a key of 33 bytes", keys=with_publisher(public_key=list(VENDOR.public) + [0]))
    rule("key_absent", "a key without bytes", keys=with_publisher(public_key=None))
    rule("key_small_order", "a key of small order", keys=with_publisher(public_key=[1] + [0] * 31))
    rule("key_not_canonical", "a key whose y is not below the prime", keys=with_publisher(public_key=list((2**255 - 19 + 3).to_bytes(32, "little"))))
    rule("key_twice", "a key twice in one role", keys=[*with_publisher(), key(PUBLISHER, VENDOR.public)])
    rule("key_two_roles", "a key in two roles", keys=[*with_publisher(), key(LICENSOR, VENDOR.public)])
    rule("key_two_roles_revoked", "a key in two roles, in one of them revoked", keys=[*with_publisher(), key(LICENSOR, VENDOR.public, 2)])
    rule("keys_257", "257 keys", keys=Repeat(key(ROOT, ROOTS[0].public), 257))
    rule("keys_256", "256 keys, most of an unknown algorithm", ok, keys=with_publisher() + [key(PUBLISHER, b"k", alg=2)] * 250)
    for role, name in bundle.THRESHOLDS.items():
        rule(f"threshold_{name}_0", f"a threshold of 0 for {name}", **{name: 0})
        rule(f"threshold_{name}_more", f"a threshold for {name} above the number of keys", **{name: 4 if role == ROOT else 2})
    rule("threshold_revoked", "a threshold that only a revoked key would reach", publishers=2, keys=[*with_publisher(), key(PUBLISHER, SECOND.public, 2)])
    rule("threshold_no_keys", "a threshold for a role without keys", keys=with_publisher()[:-1])
    rule("threshold_all_revoked", "a threshold for a role whose keys are all revoked", keys=with_publisher(state=2))
    rule("threshold_unknown_alg", "a threshold that only a key of an unknown algorithm would reach", publishers=2,
         keys=[*with_publisher(), key(PUBLISHER, b"k", alg=2)])
    many = [Signer(secret(f"publisher {i}")) for i in range(9)]
    rule("threshold_8", "a threshold of 8", ok, publishers=8, keys=[*keys_of(), *(key(PUBLISHER, m.public) for m in many)], distributors=0, licensors=0)
    rule("threshold_9", "a threshold of 9", publishers=9, keys=[*keys_of(), *(key(PUBLISHER, m.public) for m in many)], distributors=0, licensors=0)
    rule("no_roots", "no root", keys=with_publisher()[3:], roots=0)
    rule("roots_revoked", "all roots revoked", keys=[key(ROOT, r.public, 2) for r in ROOTS[:3]], publishers=0, distributors=0, licensors=0, roots=0)
    entries = lambda *models: [{"model": list(m), "version": 1} for m in models]  # noqa: E731
    rule("min_versions_order", "models out of order", min_versions=entries(b"b" * 16, b"a" * 16))
    rule("min_versions_twice", "a model twice", min_versions=entries(b"a" * 16, b"a" * 16))
    rule("min_versions_15", "a model id of 15 bytes", min_versions=entries(b"a" * 15))
    rule("min_versions_lowered", "lowered by a bundle that is yet to come", min_versions=[{"model": [1] * 16, "lowered_by": 6}])
    rule("min_versions_4097", "4,097 models", min_versions=Repeat({"model": [1] * 16}, 4097))
    rule("revoked_files_order", "content_ids out of order", revoked_files=[2] * 32 + [1] * 32)
    rule("revoked_files_twice", "a content_id twice", revoked_files=[1] * 64)
    rule("revoked_files_33", "33 bytes of content_ids", revoked_files=[1] * 33)
    rule("revoked_licences_order", "licence_ids out of order", revoked_licences=[2] * 16 + [1] * 16)
    rule("revoked_licences_twice", "a licence_id twice", revoked_licences=[1] * 32)
    rule("revoked_licences_15", "15 bytes of licence_ids", revoked_licences=[1] * 15)
    numbers = b"".join(i.to_bytes(16, "big") for i in range(8193))
    rule("revoked_licences_8192", "8,192 licence_ids", ok, revoked_licences=list(numbers[:-16]))
    rule("revoked_licences_8193", "8,193 licence_ids", revoked_licences=list(numbers))
    rule("clock_reset", "the clock reset by a bundle that is yet to come", clock_reset_by=6)
    rule("identifier", "another file identifier", on_body=lambda b: b[:4] + b"COTA" + b[8:])
    rule("body_short", "a body of 7 bytes", on_body=lambda b: b[:7])
    rule("body_root", "the root outside the body", on_body=lambda b: le4(len(b)) + b[4:])
    rule("body_vector", "a list longer than the body", on_body=lambda b: b.replace(le4(32) + VENDOR.public, le4(0x7FFFFFFF) + VENDOR.public))


def newer_body(body):
    newer = flat.Schema((reader.SCHEMAS / "bundle.fbs").read_text())
    newer.tables["Bundle"] = [*newer.tables["Bundle"], flat.Field("later", "string", None)]
    body = generate.what_is_there(flat.decode(bundle.SCHEMA, body, 8, 8192, prefixed=False))
    return flat.encode(newer, {**body, "later": "news"}, prefixed=False)


def chains():
    """5.9.3: the bundle in force in the head, what it is updated with in the file."""
    first, second, third = (draft(n).write() for n in (1, 2, 3))

    def case(name, expect, comment, *files, current=first, result=None):
        data = b"".join(f.write() if isinstance(f, Draft) else f for f in files)
        result = [f"digest: {digest(result).hex()}"] if expect == "success" else []
        plain(f"chain_{name}", "bundle", expect, comment, data, f"bundle: {current.hex()}", *result)
    ok, bad, untrusted, rollback = "success", "format", "untrusted", "rollback"
    case("next", ok, "the next bundle", second, result=second)
    case("two", ok, "the two next bundles", second, third, result=third)
    case("from_the_start", ok, "a file for readers at any number", first, second, third, result=third)
    case("nothing_new", ok, "the bundle in force", third, current=third, result=third)
    case("older_then_same", ok, "an older one and the bundle in force", second, third, current=third, result=third)
    case("same_then_older", ok, "the bundle in force and an older one", third, second, current=third, result=third)
    case("older", rollback, "an older bundle", second, current=third)
    case("older_two", rollback, "two older bundles", first, second, current=third)
    case("gap", rollback, "a bundle is missing", third)
    case("order", rollback, "two bundles in the wrong order", third, second)
    case("gap_later", rollback, "a bundle is missing behind a good one", second, draft(4))
    case("empty", bad, "no bundle", b"")
    case("cut", bad, "the second bundle is cut by a byte", second, third[:-1])
    case("junk", bad, "a byte behind the bundles", second, b"\0")
    case("cut_passed_over", bad, "a bundle that is passed over is damaged in its head", changed(first, 12, b"\1"), second)
    case("passed_over_unsigned", ok, "of bundles that are passed over nobody asks who signed them", draft(1, signers=[]).write(), second, result=second,
         current=draft(1).write())
    case("passed_over_version", "unsupported", "version 2 of a bundle that is passed over", changed(first, 4, b"\2"), second, current=second)
    case("fork", untrusted, "another bundle of the number in force", draft(1, issued=ISSUED + 1))
    case("fork_signatures", ok, "the bundle in force with other signatures", draft(1, signers=ROOTS[1:3]), result=first)
    case("other_chain", untrusted, "a bundle of another chain", draft(2, chain=bytes(16)))
    case("one_root", untrusted, "one root signed the next bundle", draft(2, signers=ROOTS[:1]))
    case("unsigned", untrusted, "nobody signed the next bundle", draft(2, signers=[]))
    case("signature", "signature", "a bit of a root's signature", flip(len(second) - 3)(second))
    case("signature_second", "signature", "a bit of a root's signature of the second bundle", second, flip(len(third) - 3)(third))
    case("body", bad, "a rule of the body is broken; signed", draft(2, issued=0))
    case("body_unsigned", untrusted, "a rule of the body is broken in a bundle that roots did not sign", draft(2, signers=ROOTS[:1], issued=0))
    case("needs", "unsupported", "the next bundle needs something unknown", draft(2, needs=["x"]))
    case("expired", ok, "the bundle in force has expired long ago", draft(2, issued=ISSUED + 10**8), current=draft(1, expires=ISSUED).write(),
         result=draft(2, issued=ISSUED + 10**8).write())
    case("issued_earlier", ok, "the next bundle has an earlier date", draft(2, issued=5), result=draft(2, issued=5).write())
    # Rotation of roots.
    new = [key(ROOT, ROOTS[2].public), key(ROOT, ROOTS[3].public), key(PUBLISHER, VENDOR.public)]
    rotated = lambda *signers: draft(2, signers=signers, keys=new, distributors=0, licensors=0)  # noqa: E731
    all_of_them = rotated(*ROOTS).write()
    case("roots", ok, "new roots; enough of the old and of the new ones signed", all_of_them, result=all_of_them)
    case("roots_old_alone", untrusted, "new roots, and only old ones signed", rotated(*ROOTS[:2]))
    case("roots_new_alone", untrusted, "new roots, and only new ones signed", draft(2, signers=ROOTS[2:4], distributors=0, licensors=0,
         keys=[*new[:2], new[2]]), current=draft(1, keys=[key(ROOT, ROOTS[0].public), key(ROOT, ROOTS[1].public), *with_publisher()[3:]]).write())
    case("roots_too_few_new", untrusted, "new roots, and one of the two new ones signed", rotated(*ROOTS[:3]))
    case("roots_gone", untrusted, "a bundle signed by roots that the one before took out", all_of_them, draft(3))
    case("roots_then", ok, "a bundle signed by the new roots", all_of_them, draft(3, signers=ROOTS[2:4], keys=new, distributors=0, licensors=0),
         result=draft(3, signers=ROOTS[2:4], keys=new, distributors=0, licensors=0).write())
    gone = [key(ROOT, ROOTS[0].public, 2), *keys_of(*ROOTS[1:3]), *with_publisher()[3:]]
    case("root_revokes_itself", untrusted, "a root that this bundle revokes signed it, and one more", draft(2, keys=gone))
    case("root_revoked", ok, "a root is revoked; two others signed", draft(2, signers=ROOTS[1:3], keys=gone), result=draft(2, keys=gone).write())
    revoked = draft(1, signers=ROOTS[1:3], keys=gone).write()
    case("root_revoked_before", untrusted, "a root that the bundle in force revoked signed, and one more", second, current=revoked)
    raised = draft(1, roots=3, signers=ROOTS[:3]).write()
    case("threshold_old", untrusted, "the bundle in force wants three roots, the next one two; two signed", second, current=raised)
    case("threshold_new", untrusted, "the next bundle wants three roots; two signed", draft(2, roots=3))
    limited = [key(ROOT, ROOTS[0].public, 0, 0, ISSUED + 10), *keys_of(*ROOTS[1:3]), *with_publisher()[3:]]
    case("root_time_over", untrusted, "the next bundle is issued when the time of a root of the one in force is over", draft(2, issued=ISSUED + 11),
         current=draft(1, keys=limited).write())
    case("root_time", ok, "the next bundle is issued in the last second of a root", draft(2, issued=ISSUED + 10),
         current=draft(1, keys=limited).write(), result=draft(2, issued=ISSUED + 10).write())


def followed():
    """5.9.2, 5.9.3: containers under a bundle."""
    def case(name, expect, comment, rules, verify=None, time=T1, extra=(), keys=(KEK_LINE,), **changes):
        rules = rules.write() if isinstance(rules, Draft) else rules
        vector(f"follow_{name}", expect, comment, tiny(**changes), verify=verify, trust=[f"bundle: {rules.hex()}"], keys=keys,
               extra=[f"time: {time}", *extra])
    ok = "success"
    two = [*with_publisher(), key(PUBLISHER, SECOND.public)]
    case("valid", ok, "signed by the bundle's publisher", draft())
    case("stranger", "untrusted", "signed by a stranger", draft(), signers=[STRANGER])
    case("unsigned", "signature", "not signed", draft(), signers=[])
    case("root", "untrusted", "signed by a root, who is no publisher", draft(), signers=[ROOTS[0]])
    case("distributor", "untrusted", "signed by the distributor", draft(), signers=[SHOP])
    case("no_publishers", "untrusted", "a bundle without publishers", draft(keys=[*keys_of(), *with_publisher()[4:]], publishers=0))
    case("threshold", "untrusted", "one of two publishers signed, and two are needed", draft(keys=two, publishers=2))
    case("threshold_met", ok, "two of two publishers signed", draft(keys=two, publishers=2), signers=[VENDOR, SECOND])
    case("threshold_caller", ok, "the bundle's threshold counts, whatever the head says", draft(keys=two, publishers=1))
    case("broken", "signature", "the bundle is not what its roots signed", changed(draft().write(), 33, b"\7"))
    case("broken_body", "format", "the bundle breaks a rule", draft(issued=0))
    # tiny() is created at ISSUED.
    limited = lambda **f: draft(keys=with_publisher(**f))  # noqa: E731
    case("key_in_time", ok, "created in the first and last second of the key", limited(not_before=ISSUED, not_after=ISSUED))
    case("key_early", "untrusted", "created a second before the key's time", limited(not_before=ISSUED + 1))
    case("key_late", "untrusted", "created a second after the key's time", limited(not_after=ISSUED - 1))
    case("key_no_date", "untrusted", "no date, and a key with limits of time", limited(not_before=1), created=0)
    case("key_no_date_no_limit", ok, "no date, and a key without limits", draft(), created=0)
    case("key_retired", ok, "signed by a key that only verifies, in its time", limited(state=1, not_after=ISSUED))
    case("key_retired_late", "untrusted", "signed by a key that only verifies, after its time", limited(state=1, not_after=ISSUED - 1))
    revoked = [*with_publisher(state=2), key(PUBLISHER, SECOND.public)]
    case("key_revoked", "revoked", "signed by a revoked key", draft(keys=revoked))
    case("key_revoked_other", ok, "signed by a revoked key and by a good one", draft(keys=revoked), signers=[VENDOR, SECOND])
    case("key_revoked_flipped", "signature", "a wrong signature of a revoked key", draft(keys=revoked), signers=[VENDOR, SECOND],
         on_entries=lambda e: [e[0][:-1] + bytes([e[0][-1] ^ 0x10]), e[1]])
    case("key_revoked_late", "untrusted", "signed by a revoked key after its time",
         draft(keys=[*with_publisher(state=2, not_after=ISSUED - 1), key(PUBLISHER, SECOND.public)]))
    three = [*revoked, key(PUBLISHER, STRANGER.public)]
    case("key_revoked_one_of_two", "revoked", "two are needed; a good key and a revoked one signed", draft(keys=three, publishers=2), signers=[VENDOR, SECOND])
    case("key_revoked_too_few", "untrusted", "two are needed; a revoked key alone signed", draft(keys=three, publishers=2))
    case("key_revoked_unsigned_allowed", ok, "a revoked key signed, and no signature is needed", draft(keys=revoked), extra=["allow: unsigned"])
    # What the bundle says of files.
    at_least = lambda version, model=NET: draft(min_versions=[{"model": list(model), "version": version}])  # noqa: E731
    case("min_version", ok, "the bundle's minimum version", at_least(3))
    case("min_version_below", "rollback", "below the bundle's minimum version", at_least(4))
    case("min_version_other", ok, "a minimum version of another model", at_least(4, OTHER_NET))
    case("min_version_caller", "rollback", "the caller's minimum is higher than the bundle's", at_least(2), extra=["min-version: 4"])
    data = tiny().write()
    case("revoked_file", "revoked", "a content_id that the bundle revokes", draft(revoked_files=list(sha256(data[:512]))))
    case("revoked_other", ok, "another content_id that the bundle revokes", draft(revoked_files=list(secret("other"))))
    case("expires", ok, "in the last second of the bundle", draft(expires=T1))
    case("expired", "expired", "a second after the bundle's end", draft(expires=T1 - 1))
    # Distributors.
    shops = [*with_publisher(), key(DISTRIBUTOR, STRANGER.public)]
    signed = {"incompat": 1, "distributors": [SHOP]}
    case("distributor_valid", ok, "SLOTS signed by the bundle's distributor", draft(), **signed)
    case("distributor_other", "signature", "SLOTS signed by the publisher", draft(), incompat=1, distributors=[VENDOR])
    case("distributor_threshold", "signature", "SLOTS signed by one of two distributors, and two are needed", draft(keys=shops, distributors=2), **signed)
    case("distributor_threshold_met", ok, "SLOTS signed by two of two distributors", draft(keys=shops, distributors=2), incompat=1, distributors=[SHOP, STRANGER])
    shop = lambda state=0, first=0, last=0: draft(  # noqa: E731
        keys=[*keys_of(), key(PUBLISHER, VENDOR.public), key(DISTRIBUTOR, SHOP.public, state, first, last), key(DISTRIBUTOR, STRANGER.public)], licensors=0)
    case("distributor_revoked", "signature", "SLOTS signed by a revoked distributor", shop(2), **signed)
    case("distributor_late", ok, "a distributor's limits of time say nothing of SLOTS", shop(0, 1, 2), **signed)
    case("distributor_none", "signature", "SLOTS to be signed, and a bundle without distributors", draft(keys=with_publisher()[:4], distributors=0, licensors=0), **signed)
    # Licences.
    claims = {"issued": ISSUED, "product": "detector", "models": list(NET)}
    file = {"incompat": 4, "recipients": [to_kek(PRODUCT_KEY)], "verify": "success"}

    def licensed(name, expect, comment, rules, signers=(OFFICE,), extra=(), **fields):
        order = licence.Order(claims={**claims, **fields}, product_keys=[PRODUCT_KEY], recipients=[to_x25519(x25519_public(IDENTITY))],
                              signers=list(signers)).write()
        rules = rules(order) if callable(rules) else rules
        case(f"licence_{name}", expect, comment, rules, keys=[f"identity: {identity_text(IDENTITY)}", f"licence: {order.hex()}"], extra=extra, **file)
    offices = lambda state=0, first=0, last=0, need=1: draft(  # noqa: E731
        keys=[*with_publisher()[:-1], key(LICENSOR, OFFICE.public, state, first, last), key(LICENSOR, SECOND.public)], licensors=need)
    licensed("valid", ok, "signed by the bundle's licensor", draft())
    licensed("stranger", "licence", "signed by a licensor that the bundle does not name", draft(), signers=[STRANGER])
    licensed("threshold", "licence", "signed by one of two licensors, and two are needed", offices(need=2))
    licensed("threshold_met", ok, "signed by two of two licensors", offices(need=2), signers=[OFFICE, SECOND])
    licensed("key_revoked", "licence", "signed by a revoked licensor", offices(2))
    licensed("key_late", "licence", "issued a second after the licensor's time", offices(last=ISSUED - 1))
    licensed("key_in_time", ok, "issued in the last second of the licensor", offices(last=ISSUED))
    licensed("revoked", "licence", "a licence_id that the bundle revokes", lambda order: draft(revoked_licences=list(order[16:32])))
    licensed("revoked_other", ok, "another licence_id that the bundle revokes", draft(revoked_licences=[1] * 16))


# --- 5.9.4: state ----------------------------------------------------------------------------------------------------

def states():
    def case(name, expect, comment, data):
        plain(f"state_{name}", "state", expect, comment, data.encode() if isinstance(data, State) else data)

    def sealed(data):
        return data[:-32] + sha256(b"coffer/v1/state", data[:-32])
    ok, bad = "success", "format"
    full = State(3, secret("bundle"), T1, [(b"a" * 16, 1, b"a" * 32, 0), (b"a" * 16, 1, b"b" * 32, 9), (b"a" * 16, 2, b"a" * 32, 1), (b"b" * 16, 1, b"a" * 32, 0)])
    data = full.encode()
    case("valid_empty", ok, "nothing seen yet", State())
    case("valid", ok, "a bundle, a time and four records", full)
    case("valid_highest", ok, "numbers of all ones", State(2**64 - 1, bytes(32), 2**64 - 1, [(b"\xff" * 16, 2**64 - 1, b"\xff" * 32, 2**64 - 1)]))
    many = [(bytes(16), i, bytes(32), 0) for i in range(4097)]
    case("valid_4096", ok, "4,096 records", State(records=many[:-1]))
    case("4097", bad, "4,097 records", State(records=many))
    case("empty", bad, "an empty file", b"")
    case("magic", bad, "another magic; the checksum agrees", sealed(b"COFT" + data[4:]))
    for version in (0, 2, 257):
        case(f"version_{version}", "unsupported", f"version {version}; the checksum agrees", sealed(changed(data, 4, le2(version))))
    case("zero16", bad, "reserved bytes at 6; the checksum agrees", sealed(changed(data, 6, b"\1")))
    case("zero32", bad, "reserved bytes at 60; the checksum agrees", sealed(changed(data, 63, b"\1")))
    case("count_less", bad, "one record fewer is counted than there are; the checksum agrees", sealed(changed(data, 56, le4(3))))
    case("count_more", bad, "one record more is counted than there are; the checksum agrees", sealed(changed(data, 56, le4(5))))
    case("count_huge", bad, "2^32 - 1 records are counted; the checksum agrees", sealed(changed(data, 56, le4(2**32 - 1))))
    case("count_wraps", bad, "the size of the records wraps to that of the file; the checksum agrees", sealed(changed(data, 56, le4(4 + 2**26))))
    case("checksum", bad, "a bit of the checksum", flip(len(data) - 1)(data))
    case("flipped_number", bad, "a bit of the bundle's number", flip(8)(data))
    case("flipped_record", bad, "a bit of a record", flip(64 + 60)(data))
    case("checksum_unlabelled", bad, "a checksum without its label", data[:-32] + sha256(data[:-32]))
    for size in (3, 4, 63, 64, 95, 96, len(data) - 33, len(data) - 1):
        case(f"cut_{size}", bad, f"cut to {size} bytes", data[:size])
    case("extended", bad, "a byte behind it", data + b"\0")
    case("extended_record", bad, "a record that is not counted; the checksum agrees", sealed(data[:-32] + bytes(64) + data[-32:]))
    records = [data[64 + 64 * i:128 + 64 * i] for i in range(4)]

    def order(name, comment, *which):
        case(f"order_{name}", bad, comment + "; the checksum agrees", sealed(data[:64] + b"".join(records[i] for i in which) + data[-32:]))
    order("models", "models out of order", 0, 1, 3, 2)
    order("versions", "versions out of order", 0, 2, 1, 3)
    order("contents", "content_ids out of order", 1, 0, 2, 3)
    order("twice", "a record twice", 0, 0, 2, 3)
    case("order_generation", bad, "two records that differ in their generation alone; the checksum agrees",
         State(records=[(b"a" * 16, 1, b"a" * 32, 1), (b"a" * 16, 1, b"a" * 32, 2)]))


def remembered():
    """Containers opened with a state: `state-after` is what it is then, whatever became of the file."""
    file = tiny()
    content = sha256(file.write()[:512])
    record = (NET, 3, content, 0)
    step = T1 - T1 % 1000

    def case(name, expect, comment, before, after=None, verify=None, time=step, rules=None, extra=(), keys=(KEK_LINE,), file=file):
        rules = rules.write() if isinstance(rules, Draft) else rules
        trust = [f"bundle: {rules.hex()}"] if rules else [generate.TRUST]
        hexed = lambda s: s if isinstance(s, str) else (s.encode() if isinstance(s, State) else s).hex()  # noqa: E731
        after = [] if after is None else [f"state-after: {hexed(after)}"]
        vector(f"remember_{name}", expect, comment, file, verify=verify, trust=trust, keys=keys,
               extra=[f"time: {time}", f"state: {hexed(before)}", *after, *extra])
    ok = "success"
    seen = lambda *records, latest=step, number=0, by=bytes(32): State(number, by, latest, sorted(records))  # noqa: E731
    other = (OTHER_NET, 9, secret("other"), 4)
    case("first", ok, "the first file ever", State(), seen(record))
    case("again", ok, "the same file again", seen(record))
    case("other_model", ok, "a file beside that of another model", seen(other), seen(record, other))
    case("newer", ok, "a newer version: records of older ones are dropped", seen((NET, 1, secret("1"), 0), (NET, 2, secret("2"), 7), other), seen(record, other))
    case("same_version", ok, "another file of the same version", seen((NET, 3, secret("3"), 0)), seen(record, (NET, 3, secret("3"), 0)))
    case("older", "rollback", "a newer version was seen", seen((NET, 4, secret("4"), 0)))
    case("none", "io", "a store with nothing in it", "none")
    case("damaged", "format", "a damaged state", flip(50)(seen(record).encode()))
    case("version_2", "unsupported", "a state of version 2", b"COST\2" + seen().encode()[5:])
    unsigned = tiny(signers=[])
    case("unsigned", ok, "a file without a trusted signature changes nothing", seen(latest=0), file=unsigned, extra=["allow: unsigned"])
    case("unsigned_older", "rollback", "an older version without a signature", seen((NET, 4, secret("4"), 0)), file=unsigned, extra=["allow: unsigned"])
    case("wrong_key", "no_recipient", "what does not open is not recorded", seen(latest=0), verify="success", keys=[f"kek: {OTHER_KEK.hex()}"])
    full = [(bytes(16), i, bytes(32), 0) for i in range(4096)]
    case("full", "limit", "4,096 records, and a file that is not among them", seen(*full), verify="success")
    case("full_again", ok, "4,096 records, the file among them", seen(*full[1:], record), None)
    lower = [*full[1:], (NET, 1, secret("1"), 0)]
    case("full_dropped", ok, "4,096 records, one of them of an older version", seen(*lower), seen(*full[1:], record))
    # Time.
    case("time_299", ok, "299 seconds later: the time is not advanced", seen(record), time=step + 299)
    case("time_300", ok, "300 seconds later: the time is advanced", seen(record), seen(record, latest=step + 300), time=step + 300)
    case("time_back", ok, "the clock went back, and no date matters", seen(record), time=5)
    dated = tiny(not_after=step + 100)
    mine = (NET, 3, sha256(dated.write()[:512]), 0)
    case("clock_3600", ok, "a date matters, and the clock is an hour behind", seen(mine), time=step - 3600, file=dated)
    case("clock_3601", "expired", "a date matters, and the clock is more than an hour behind", seen(mine), time=step - 3601, file=dated)
    case("expired_by_state", "expired", "a time later than the date was seen", seen(mine, latest=step + 101), time=step, file=dated)
    case("not_expired", ok, "the date is the latest time seen", seen(mine, latest=step + 100), time=step, file=dated)
    # Generations.
    signed = lambda generation: tiny(incompat=1, distributors=[SHOP], generation=generation)  # noqa: E731
    line = [f"distributor: {SHOP.public.hex()}"]
    its = lambda generation: (NET, 3, sha256(signed(2).write()[:512]), generation)  # noqa: E731
    case("generation_first", ok, "the generation is recorded", seen(), seen(its(2)), file=signed(2), extra=line)
    case("generation_same", ok, "the generation that was seen", seen(its(2)), file=signed(2), extra=line)
    case("generation_newer", ok, "a newer generation", seen(its(2)), seen(its(5)), file=signed(5), extra=line)
    case("generation_older", "rollback", "an older generation", seen(its(3)), file=signed(2), extra=line, verify="success")
    case("generation_unsigned", ok, "without bit 0x1 generations are not judged, and 0 is recorded", seen(), seen(record), file=tiny(generation=9))
    case("generation_unsigned_older", ok, "without bit 0x1 an older generation opens", seen((*record[:3], 9)), file=tiny(generation=2))
    # Licences.
    claims = {"issued": ISSUED, "product": "detector", "models": list(NET), "not_after": step + 10**6, "grace": 7200}
    licensed = tiny(incompat=4, recipients=[to_kek(PRODUCT_KEY)])
    its_record = (NET, 3, sha256(licensed.write()[:512]), 0)

    def by_licence(name, expect, comment, back, latest=step, after=None, **fields):
        order = licence.Order(claims={**claims, **fields}, product_keys=[PRODUCT_KEY], recipients=[to_x25519(x25519_public(IDENTITY))],
                              signers=[OFFICE]).write()
        case(f"licence_{name}", expect, comment, seen(its_record, latest=latest), after, verify="success", time=step - back, file=licensed,
             keys=[f"identity: {identity_text(IDENTITY)}", f"licence: {order.hex()}"], extra=[f"licensor: {OFFICE.public.hex()}"])
    by_licence("clock_7200", ok, "the clock is behind by the grace of the licence", 7200)
    by_licence("clock_7201", "expired", "the clock is behind by more than the grace of the licence", 7201)
    by_licence("clock_3600", ok, "a grace below an hour: the clock is an hour behind", 3600, grace=60)
    by_licence("clock_3601", "expired", "a grace below an hour: the clock is more than an hour behind", 3601, grace=60)
    by_licence("clock_undated", ok, "a licence without dates", 10**6, not_after=0)
    by_licence("clock_not_before", "expired", "a licence with a beginning alone", 7201, not_after=0, not_before=1)
    by_licence("ended_by_state", "licence", "a time after the licence's grace was seen", 0, latest=step + 10**6 + 7201)
    by_licence("begun_by_state", ok, "a time at which the licence begins was seen", 10, latest=step, not_before=step)

    # Bundles.
    def follows(name, expect, comment, before, rules, after=None, **more):
        rules = rules.write()
        at = lambda *records, latest=step: State(struct.unpack_from("<Q", rules, 16)[0], digest(rules), latest, sorted(records))  # noqa: E731
        case(f"bundle_{name}", expect, comment, before(at) if callable(before) else before, after(at) if callable(after) else after, rules=rules, **more)
    follows("first", ok, "the first bundle is recorded", seen(), draft(), lambda at: at(record))
    follows("same", ok, "the bundle that was seen", lambda at: at(record), draft())
    follows("newer", ok, "a newer bundle, whatever lies between", seen(record, number=3, by=secret("3")), draft(9), lambda at: at(record))
    follows("older", "rollback", "an older bundle than the one seen", seen(record, number=3, by=secret("3")), draft(2))
    follows("fork", "rollback", "another bundle of the number seen", seen(record, number=3, by=secret("3")), draft(3))
    follows("whatever", "untrusted", "a bundle is recorded also when no file opens under it", seen(), draft(), lambda at: at(), file=tiny(signers=[STRANGER]))
    follows("unsigned", ok, "a bundle is recorded, a file without a signature is not", seen(), draft(), lambda at: at(), file=unsigned, extra=["allow: unsigned"])
    lowers = lambda by, version=3, number=5: draft(number, min_versions=[{"model": list(NET), "version": version, "lowered_by": by}])  # noqa: E731
    ahead = (NET, 99, secret("99"), 0)
    follows("lowers", ok, "records above the minimum version are dropped", seen(ahead, other, number=4), lowers(5), lambda at: at(record, other))
    follows("lowers_skipped", ok, "an order of a bundle between", seen(ahead, number=3), lowers(4), lambda at: at(record))
    follows("lowers_before", "rollback", "an order that was obeyed before", seen(ahead, number=4), lowers(4), lambda at: at(ahead))
    follows("lowers_never", "rollback", "a minimum version that is no order", seen(ahead, number=4), lowers(0), lambda at: at(ahead))
    follows("lowers_other", "rollback", "an order for another model", seen(ahead, number=4),
            draft(5, min_versions=[{"model": list(OTHER_NET), "version": 3, "lowered_by": 5}]), lambda at: at(ahead))
    follows("lowers_keeps", ok, "records at the minimum version stay", seen(record, (NET, 3, secret("3"), 0), number=4), lowers(5),
            lambda at: at(record, (NET, 3, secret("3"), 0)))
    late = step + 10**8
    follows("clock", ok, "the latest time is taken back to the date of the bundle", seen(record, number=4, latest=late),
            draft(5, issued=step - 50, clock_reset_by=5), lambda at: at(record, latest=step - 50))
    follows("clock_before", ok, "an order about the clock that was obeyed before", seen(record, number=5, latest=late),
            draft(6, issued=step - 50, clock_reset_by=5), lambda at: at(record, latest=late))
    follows("clock_earlier", ok, "the latest time is before the date of the bundle already", seen(record, number=4, latest=step - 100),
            draft(5, issued=step + 5000, clock_reset_by=5), lambda at: at(record, latest=step - 100))
    over = draft(1, expires=step - 1)
    follows("expired", "expired", "the bundle has expired, and the file was not opened before", seen(), over, lambda at: at())
    follows("expired_known", ok, "the bundle has expired, and the file was opened before", lambda at: at(record), over)
    follows("expired_by_state", "expired", "a time after the bundle's end was seen", seen(latest=step + 2), draft(1, expires=step + 1), lambda at: at(latest=step + 2))
    follows("expired_clock", "expired", "the bundle has a date, and the clock is more than an hour behind", lambda at: at(record), draft(1, expires=step),
            time=step - 3601)


# --- 5.17: key files -------------------------------------------------------------------------------------------------

def der(tag, *parts):
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else bytes([0x80 + (n := (len(body).bit_length() + 7) // 8)]) + len(body).to_bytes(n, "big")
    return bytes([tag]) + size + body


def sequence(*parts):
    return der(0x30, *parts)


def number(value):
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(data):
    return der(4, data)


def oid(text):
    first, second, *rest = (int(part) for part in text.split("."))
    out = bytes([40 * first + second])
    for value in rest:
        groups = [value & 127]
        while value := value >> 7:
            groups.insert(0, 128 | value & 127)
        out += bytes(groups)
    return der(6, out)


ED25519_OID, X25519_OID, EC_OID, P256_OID, P384_OID = (oid(t) for t in (
    "1.3.101.112", "1.3.101.110", "1.2.840.10045.2.1", "1.2.840.10045.3.1.7", "1.3.132.0.34"))
NULL = b"\5\0"


def pem(label, data, width=64, end="\n"):
    digits = base64.b64encode(data).decode()
    body = "".join(digits[i:i + width] + end for i in range(0, len(digits), width))
    return f"-----BEGIN {label}-----{end}{body}-----END {label}-----{end}".encode()


def spki(algorithm, public):
    return sequence(algorithm, der(3, b"\0" + public))


def pkcs8(algorithm, private, version=0):
    return sequence(number(version), algorithm, octets(private))


def ec_private(scalar, public=None, version=1):
    return sequence(number(version), octets(scalar), *([der(0xA1, der(3, b"\0" + public))] if public else []))


def key_files():
    key_files_that_open()
    key_files_of_recipients()
    key_files_that_sign()


def key_files_that_open():
    ok, bad = "success", "refused"
    line = identity_text(IDENTITY).encode()
    second = identity_text(generate.OTHER_IDENTITY).encode()
    mine, theirs = (f"key: x25519 {x25519_public(s).hex()}" for s in (IDENTITY, generate.OTHER_IDENTITY))
    raw = lambda data: f"key: raw {reader.hmac_sha256(data, b'coffer/v1/kek-id')[:16].hex()}"  # noqa: E731

    def case(name, expect, comment, data, *lines, kind="keys"):
        plain(f"key_{name}", kind, expect, comment, data, *lines)
    case("x25519", ok, "an age identity", line + b"\n", mine)
    case("x25519_no_newline", ok, "without a newline", line, mine)
    case("x25519_age_keygen", ok, "as age-keygen writes it", b"# created: 2026-01-01T00:00:00Z\n# public key: age1...\n" + line + b"\n", mine)
    case("x25519_crlf", ok, "lines that end with CR LF", b"# x\r\n\r\n" + line + b"\r\n", mine)
    case("x25519_two", ok, "two identities and empty lines", b"\n" + line + b"\n\n" + second + b"\n", mine, theirs)
    case("x25519_twice", ok, "an identity twice", line + b"\n" + line + b"\n", mine)
    case("x25519_comment_bytes", ok, "a comment that is no text", b"#\xff\0\n" + line + b"\n", mine)
    case("x25519_lower", bad, "in small letters", line.lower() + b"\n")
    case("x25519_mixed", bad, "letters of both sizes", line[:20] + line[20:].lower() + b"\n")
    case("x25519_checksum", bad, "the last letter is another", line[:-1] + (b"Q" if line[-1:] != b"Q" else b"P") + b"\n")
    case("x25519_letter", bad, "a letter in the middle is another", changed(line, 30, b"Q" if line[30:31] != b"Q" else b"P") + b"\n")
    case("x25519_letter_b", bad, "a letter that there is not", changed(line, 30, b"B") + b"\n")
    case("x25519_swapped", bad, "two letters exchanged", line[:30] + line[31:32] + line[30:31] + line[32:] + b"\n")
    case("x25519_short", bad, "a letter less", line[:-1] + b"\n")
    case("x25519_long", bad, "a letter more", line + b"Q\n")
    case("x25519_31", bad, "31 bytes, checksum agrees", reader.bech32_encode("age-secret-key-", IDENTITY[:31]).upper().encode() + b"\n")
    case("x25519_33", bad, "33 bytes, checksum agrees", reader.bech32_encode("age-secret-key-", IDENTITY + b"\0").upper().encode() + b"\n")
    case("x25519_padding", bad, "unused bits that are set, checksum agrees", padded("age-secret-key-", IDENTITY).upper().encode() + b"\n")
    case("x25519_bech32m", bad, "the checksum of Bech32m", bech32m("age-secret-key-", IDENTITY).upper().encode() + b"\n")
    case("x25519_prefix", bad, "the prefix of another kind, checksum agrees", reader.bech32_encode("age-plugin-key-", IDENTITY).upper().encode() + b"\n")
    case("x25519_space_before", bad, "a blank before the identity", b" " + line + b"\n")
    case("x25519_space_after", bad, "a blank behind the identity", line + b" \n")
    case("x25519_tab", bad, "a tab behind the identity", line + b"\t\n")
    case("x25519_cr_cr", bad, "two CR before the LF", line + b"\r\r\n")
    case("x25519_cr_alone", bad, "a CR alone between two identities", line + b"\r" + second + b"\n")
    case("x25519_nul", bad, "a NUL behind the identity", line + b"\0\n")
    case("x25519_bom", bad, "a byte order mark", b"\xef\xbb\xbf" + line + b"\n")
    case("x25519_utf16", bad, "UTF-16", (line + b"\n").decode().encode("utf-16-le"))
    case("x25519_junk_line", bad, "a line of something else behind the identity", line + b"\njunk\n")
    case("x25519_blank_line", bad, "a line of one blank", line + b"\n \n")
    case("x25519_comment_later", bad, "a comment on the line of the identity", line + b" # mine\n")
    case("x25519_recipient", bad, "a recipient where an identity is expected", reader.bech32_encode("age", x25519_public(IDENTITY)).encode() + b"\n")
    case("comments_alone", bad, "comments alone", b"# nothing\n")
    case("newline", bad, "an empty line", b"\n")
    case("empty", bad, "an empty file", b"")
    case("text", bad, "some text", b"hello, this is not a key\n")
    case("largest", ok, "64 KiB", b"#" * (65536 - len(line) - 1) + b"\n" + line, mine)
    case("too_large", bad, "64 KiB and a byte", b"#" * (65536 - len(line)) + b"\n" + line)
    # Raw keys.
    case("raw", ok, "32 bytes", KEK, raw(KEK))
    case("raw_text", ok, "32 bytes of text are a raw key", b"0123456789abcdef0123456789abcde\n", raw(b"0123456789abcdef0123456789abcde\n"))
    case("raw_comment", ok, "32 bytes that look like a comment are a raw key", b"# nothing nothing nothing nothin", raw(b"# nothing nothing nothing nothin"))
    for size in (31, 33, 64):
        case(f"raw_{size}", bad, f"{size} bytes", (KEK + KEK)[:size].replace(b"#", b"x").replace(b"\n", b"x"))
    case("raw_hex", bad, "the raw key in hex", KEK.hex().encode())
    for size, expect in ((0, bad), (31, bad), (32, ok), (33, bad)):
        case(f"only_raw_{size}", expect, f"{size} bytes where a raw key is expected", (KEK + KEK)[:size], *([raw(KEK)] if size == 32 else []), kind="raw-key")
    case("only_raw_identity", bad, "an identity where a raw key is expected", line + b"\n", kind="raw-key")
    case("only_raw_newline", bad, "a raw key and a newline", KEK + b"\n", kind="raw-key")
    # P-256.
    algorithm = sequence(EC_OID, P256_OID)
    found = f"key: p256 {P256_PUBLIC.hex()}"
    good = pkcs8(algorithm, ec_private(P256, P256_PUBLIC))
    label = "PRIVATE KEY"
    text = pem(label, good)
    case("p256", ok, "a P-256 key as PKCS#8", text, found)
    case("p256_crlf", ok, "lines that end with CR LF", pem(label, good, end="\r\n"), found)
    case("p256_blanks", ok, "blanks and empty lines around it", b" \n\t\r\n" + text + b"\n \n", found)
    case("p256_one_line", ok, "the base64 in one line", pem(label, good, width=1000), found)
    case("p256_short_lines", ok, "the base64 in lines of 7", pem(label, good, width=7), found)
    case("p256_no_newline", ok, "without a newline at the end", text[:-1], found)
    case("p256_two", bad, "two keys", text + pem(label, pkcs8(algorithm, ec_private(OTHER_P256, OTHER_P256_PUBLIC))))
    case("p256_text_before", bad, "text before the key", b"key:\n" + text)
    case("p256_text_after", bad, "text behind the key", text + b"x\n")
    case("p256_bom", bad, "a byte order mark", b"\xef\xbb\xbf" + text)
    case("p256_nul", bad, "a NUL at the end", text + b"\0")
    case("p256_nul_inside", bad, "a NUL in the base64", text.replace(b"\n", b"\n\0", 1))
    case("p256_space_inside", bad, "blanks in the base64", text.replace(b"\nMIG", b"\n MIG"))
    case("p256_label", bad, "another label at the end", text.replace(b"END PRIVATE", b"END PUBLIC"))
    case("p256_label_lower", bad, "the label in small letters", text.replace(b"PRIVATE KEY", b"private key"))
    case("p256_dashes", bad, "four dashes", text.replace(b"-----\n", b"----\n"))
    case("p256_cut", bad, "the last line is missing", text[:text.rindex(b"-----END")])
    case("p256_headers", bad, "a header of old encryption", text.replace(b"KEY-----\n", b"KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1))
    case("p256_base64_character", bad, "a character that is none of base64", text.replace(b"MIG", b"MI_"))
    case("p256_base64_odd", bad, "a digit less", text.replace(b"MIGH", b"MIG"))
    case("p256_base64_padding_inside", bad, "padding in the middle", text.replace(b"MIGH", b"MI==", 1))
    case("p256_empty", bad, "nothing between the labels", pem(label, b""))
    case("p256_der", bad, "DER", good)
    case("p256_der_cut", bad, "DER a byte short", pem(label, good[:-1]))
    case("p256_der_extended", bad, "a byte behind the DER", pem(label, good + b"\0"))
    case("p256_sec1", bad, "an EC PRIVATE KEY", pem("EC PRIVATE KEY", sequence(number(1), octets(P256), der(0xA0, P256_OID), der(0xA1, der(3, b"\0" + P256_PUBLIC)))))
    case("p256_encrypted", bad, "an encrypted key", encrypted(good, b"horse"))
    case("p256_public_key", bad, "a public key where a private one is expected", pem("PUBLIC KEY", spki(algorithm, P256_PUBLIC)))
    case("p256_public_of_other", bad, "the public key in it is another", pem(label, pkcs8(algorithm, ec_private(P256, OTHER_P256_PUBLIC))))
    case("p256_public_off_curve", bad, "the public key in it is no point of the curve",
         pem(label, pkcs8(algorithm, ec_private(P256, changed(P256_PUBLIC, 64, bytes([P256_PUBLIC[64] ^ 1]))))))
    for name, scalar in (("0", 0), ("order", ORDER), ("order_more", ORDER + 1), ("largest", 2**256 - 1)):
        case(f"p256_scalar_{name}", bad, f"a private key of {scalar:#x}", pem(label, pkcs8(algorithm, ec_private(scalar.to_bytes(32, "big"), P256_PUBLIC))))
    ones = [p256_public(ec.derive_private_key(n, ec.SECP256R1())) for n in (1, ORDER - 1)]
    case("p256_scalar_1", ok, "the smallest private key", pem(label, pkcs8(algorithm, ec_private((1).to_bytes(32, "big"), ones[0]))), f"key: p256 {ones[0].hex()}")
    case("p256_scalar_order_less", ok, "the largest private key", pem(label, pkcs8(algorithm, ec_private((ORDER - 1).to_bytes(32, "big"), ones[1]))),
         f"key: p256 {ones[1].hex()}")
    other = ec.derive_private_key(7, ec.SECP384R1())
    public = other.public_key().public_numbers()
    case("p256_curve_384", bad, "a key of P-384", pem(label, pkcs8(sequence(EC_OID, P384_OID), ec_private(
        (7).to_bytes(48, "big"), b"\4" + public.x.to_bytes(48, "big") + public.y.to_bytes(48, "big")))))
    case("p256_ed25519", bad, "an Ed25519 key, which opens nothing", pem(label, pkcs8(sequence(ED25519_OID), octets(VENDOR.seed))))
    case("p256_x25519", bad, "an X25519 key as PKCS#8", pem(label, pkcs8(sequence(X25519_OID), octets(IDENTITY))))


def padded(prefix, data):
    """Bech32 of `data` with its unused bits set."""
    text = reader.bech32_encode(prefix, data)[len(prefix) + 1:-6]
    values = [reader._BECH32.index(c) for c in text]
    values[-1] |= (1 << (5 - len(data) * 8 % 5)) - 1
    return with_checksum(prefix, values, 1)


def bech32m(prefix, data):
    text = reader.bech32_encode(prefix, data)[len(prefix) + 1:-6]
    return with_checksum(prefix, [reader._BECH32.index(c) for c in text], 0x2BC830A3)


def with_checksum(prefix, values, final):
    check = reader._bech32_polymod(reader._bech32_prefix(prefix) + values + [0] * 6) ^ final
    return prefix + "1" + "".join(reader._BECH32[v] for v in values + [check >> 5 * (5 - i) & 31 for i in range(6)])


def key_files_of_recipients():
    ok, bad = "success", "refused"

    def case(name, expect, comment, data, *lines):
        plain(f"recipient_{name}", "recipients", expect, comment, data, *lines)
    publics = [x25519_public(s) for s in (IDENTITY, generate.OTHER_IDENTITY)]
    age = lambda public: reader.bech32_encode("age", public).encode()  # noqa: E731
    mine, theirs = (f"key: x25519 {public.hex()}" for public in publics)
    line = age(publics[0])
    case("x25519", ok, "an age recipient", line + b"\n", mine)
    case("x25519_two", ok, "two recipients, comments, CR LF", b"# a\r\n" + line + b"\r\n\r\n" + age(publics[1]), mine, theirs)
    case("x25519_upper", bad, "in capitals", line.upper() + b"\n")
    case("x25519_mixed", bad, "letters of both sizes", line[:3] + line[3:].upper() + b"\n")
    case("x25519_checksum", bad, "the last letter is another", line[:-1] + (b"q" if line[-1:] != b"q" else b"p") + b"\n")
    case("x25519_padding", bad, "unused bits that are set, checksum agrees", padded("age", publics[0]).encode() + b"\n")
    case("x25519_bech32m", bad, "the checksum of Bech32m", bech32m("age", publics[0]).encode() + b"\n")
    case("x25519_31", bad, "31 bytes, checksum agrees", age(publics[0][:31]) + b"\n")
    case("x25519_prefix", bad, "the prefix of another kind, checksum agrees", reader.bech32_encode("agf", publics[0]).encode() + b"\n")
    case("x25519_space", bad, "a blank behind it", line + b" \n")
    case("x25519_bom", bad, "a byte order mark", b"\xef\xbb\xbf" + line + b"\n")
    case("x25519_identity", bad, "an identity where a recipient is expected", identity_text(IDENTITY).encode() + b"\n")
    case("x25519_second_bad", bad, "the second of two recipients is none", line + b"\nage1\n")
    p = 2**255 - 19
    for name, u in (("0", 0), ("1", 1), ("minus_1", p - 1),
                    ("order_8", 0xb8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0),
                    ("order_8_other", 0x57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5f)):
        case(f"x25519_small_{name}", bad, "a key of small order", age(u.to_bytes(32, "little")) + b"\n")
    case("x25519_prime", bad, "u is the prime", age(p.to_bytes(32, "little")) + b"\n")
    case("x25519_not_reduced", bad, "u plus the prime", age((p + 9).to_bytes(32, "little")) + b"\n")
    case("x25519_high_bit", bad, "the bit that X25519 ignores", age(publics[0][:31] + bytes([publics[0][31] | 0x80])) + b"\n")
    case("x25519_9", ok, "the base point", age((9).to_bytes(32, "little")) + b"\n", f"key: x25519 {(9).to_bytes(32, 'little').hex()}")
    case("empty", bad, "an empty file", b"")
    case("comments_alone", bad, "comments alone", b"# nobody\n")
    algorithm = sequence(EC_OID, P256_OID)
    found = f"key: p256 {P256_PUBLIC.hex()}"
    text = pem("PUBLIC KEY", spki(algorithm, P256_PUBLIC))
    case("p256", ok, "a P-256 public key", text, found)
    case("p256_two", ok, "two P-256 public keys with an empty line between", text + b"\n" + pem("PUBLIC KEY", spki(algorithm, OTHER_P256_PUBLIC), end="\r\n"),
         found, f"key: p256 {OTHER_P256_PUBLIC.hex()}")
    case("p256_then_text", bad, "text between two keys", text + b"and\n" + text)
    case("p256_then_age", bad, "an age recipient behind a PEM block", text + line + b"\n")
    case("age_then_p256", bad, "a PEM block behind an age recipient", line + b"\n" + text)
    x, y = P256_PUBLIC[1:33], P256_PUBLIC[33:]
    small, its_y = small_x()
    for name, comment, point in (
            ("compressed", "a compressed point", bytes([2 + (y[31] & 1)]) + x), ("hybrid", "the hybrid form", bytes([6 + (y[31] & 1)]) + x + y),
            ("infinity", "the point at infinity", b"\0"), ("off_curve", "not on the curve", changed(P256_PUBLIC, 64, bytes([y[31] ^ 1]))),
            ("zeros", "x and y of 0", b"\4" + bytes(64)), ("short", "a point a byte short", P256_PUBLIC[:-1]), ("long", "a point a byte long", P256_PUBLIC + b"\0"),
            ("x_not_reduced", "x plus the prime", b"\4" + (small + PRIME).to_bytes(32, "big") + its_y.to_bytes(32, "big"))):
        case(f"p256_{name}", bad, comment, pem("PUBLIC KEY", spki(algorithm, point)))
    case("p256_unused_bits", bad, "a bit string with unused bits", pem("PUBLIC KEY", sequence(algorithm, der(3, b"\1" + P256_PUBLIC))))
    case("p256_curve_384", bad, "the curve P-384", pem("PUBLIC KEY", spki(sequence(EC_OID, P384_OID), P256_PUBLIC)))
    case("p256_ed25519", bad, "an Ed25519 key, which receives nothing", pem("PUBLIC KEY", spki(sequence(ED25519_OID), VENDOR.public)))
    gx, gy = (ec.derive_private_key(1, ec.SECP256R1()).public_key().public_numbers().__getattribute__(n) for n in "xy")
    explicit = sequence(EC_OID, sequence(number(1), sequence(oid("1.2.840.10045.1.1"), number(PRIME)),
                                         sequence(octets((PRIME - 3).to_bytes(32, "big")), octets(B.to_bytes(32, "big"))),
                                         octets(b"\4" + gx.to_bytes(32, "big") + gy.to_bytes(32, "big")), number(ORDER), number(1)))
    case("p256_explicit", bad, "the curve by its numbers instead of its name", pem("PUBLIC KEY", spki(explicit, P256_PUBLIC)))
    case("p256_certificate", bad, "a certificate's label", pem("CERTIFICATE", spki(algorithm, P256_PUBLIC)))
    case("p256_private", bad, "a private key where a public one is expected", pem("PRIVATE KEY", pkcs8(algorithm, ec_private(P256, P256_PUBLIC))))
    case("p256_der_extended", bad, "a byte behind the DER", pem("PUBLIC KEY", spki(algorithm, P256_PUBLIC) + b"\0"))


def encrypted(data, passphrase):
    """PBES2 with scrypt and AES-256-CBC, as `model-pack key new --signing --passphrase` writes."""
    salt, iv = secret("pem salt")[:16], secret("pem iv")[:16]
    wrap = hashlib.scrypt(passphrase, salt=salt, n=1 << 14, r=8, p=1, maxmem=1 << 26, dklen=32)
    data += bytes([16 - len(data) % 16]) * (16 - len(data) % 16)
    sealer = Cipher(algorithms.AES(wrap), modes.CBC(iv)).encryptor()
    kdf = sequence(oid("1.3.6.1.4.1.11591.4.11"), sequence(octets(salt), number(1 << 14), number(8), number(1)))
    scheme = sequence(oid("2.16.840.1.101.3.4.1.42"), octets(iv))
    return pem("ENCRYPTED PRIVATE KEY", sequence(sequence(oid("1.2.840.113549.1.5.13"), sequence(kdf, scheme)), octets(sealer.update(data))))


def key_files_that_sign():
    ok, bad = "success", "refused"
    found = f"key: ed25519 {VENDOR.public.hex()}"
    algorithm = sequence(ED25519_OID)

    def public(name, expect, comment, data):
        plain(f"trust_{name}", "public-key", expect, comment, data, *([found] if expect == ok else []))
    text = pem("PUBLIC KEY", spki(algorithm, VENDOR.public))
    public("ed25519", ok, "a public key", text)
    public("ed25519_crlf", ok, "lines that end with CR LF, and empty lines around", b"\r\n" + text.replace(b"\n", b"\r\n") + b"\r\n")
    public("ed25519_two", bad, "two keys", text + text)
    public("ed25519_text", bad, "text before the key", b"x" + text)
    public("ed25519_bom", bad, "a byte order mark", b"\xef\xbb\xbf" + text)
    public("ed25519_nul", bad, "a NUL at the end", text + b"\0")
    public("ed25519_raw", bad, "32 bytes", VENDOR.public)
    public("ed25519_hex", bad, "in hex", VENDOR.public.hex().encode())
    public("empty", bad, "an empty file", b"")
    public("ed25519_private", bad, "a private key", pem("PRIVATE KEY", pkcs8(algorithm, octets(VENDOR.seed))))
    public("ed25519_31", bad, "a key of 31 bytes", pem("PUBLIC KEY", spki(algorithm, VENDOR.public[:31])))
    public("ed25519_33", bad, "a key of 33 bytes", pem("PUBLIC KEY", spki(algorithm, VENDOR.public + b"\0")))
    public("ed25519_null", bad, "parameters where there are none", pem("PUBLIC KEY", spki(sequence(ED25519_OID, NULL), VENDOR.public)))
    public("ed25519_unused_bits", bad, "a bit string with unused bits", pem("PUBLIC KEY", sequence(algorithm, der(3, b"\1" + VENDOR.public))))
    public("ed25519_x25519", bad, "an X25519 key", pem("PUBLIC KEY", spki(sequence(X25519_OID), VENDOR.public)))
    public("ed25519_p256", bad, "a P-256 key", pem("PUBLIC KEY", spki(sequence(EC_OID, P256_OID), P256_PUBLIC)))
    public("ed25519_der_extended", bad, "a byte behind the DER", pem("PUBLIC KEY", spki(algorithm, VENDOR.public) + b"\0"))
    p = 2**255 - 19
    order_8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7
    for name, y in (("0", 0), ("0_negative", 1 << 255), ("1", 1), ("1_negative", 1 | 1 << 255), ("minus_1", p - 1), ("minus_1_negative", (p - 1) | 1 << 255),
                    ("order_8", order_8), ("order_8_negative", order_8 | 1 << 255), ("order_8_other", p - order_8)):
        public(f"ed25519_small_{name}", bad, "a key of small order", pem("PUBLIC KEY", spki(algorithm, y.to_bytes(32, "little"))))
    for name, y in (("prime", p), ("prime_more", p + 1), ("not_reduced", p + 3), ("largest", 2**255 - 1)):
        public(f"ed25519_{name}", bad, "y is not below the prime", pem("PUBLIC KEY", spki(algorithm, y.to_bytes(32, "little"))))

    def private(name, expect, comment, data, *lines):
        plain(f"sign_{name}", "signing-key", expect, comment, data, *lines, *([found] if expect == ok else []))
    good = pkcs8(algorithm, octets(VENDOR.seed))
    text = pem("PRIVATE KEY", good)
    private("ed25519", ok, "a private key", text)
    private("ed25519_crlf", ok, "lines that end with CR LF", text.replace(b"\n", b"\r\n"))
    private("ed25519_two", bad, "two keys", text + text)
    private("ed25519_bom", bad, "a byte order mark", b"\xef\xbb\xbf" + text)
    private("ed25519_raw", bad, "32 bytes", VENDOR.seed)
    private("empty", bad, "an empty file", b"")
    private("ed25519_public", bad, "a public key", pem("PUBLIC KEY", spki(algorithm, VENDOR.public)))
    private("ed25519_31", bad, "a seed of 31 bytes", pem("PRIVATE KEY", pkcs8(algorithm, octets(VENDOR.seed[:31]))))
    private("ed25519_33", bad, "a seed of 33 bytes", pem("PRIVATE KEY", pkcs8(algorithm, octets(VENDOR.seed + b"\0"))))
    private("ed25519_unwrapped", bad, "the seed without its inner octet string", pem("PRIVATE KEY", pkcs8(algorithm, VENDOR.seed)))
    private("ed25519_p256", bad, "a P-256 key", pem("PRIVATE KEY", pkcs8(sequence(EC_OID, P256_OID), ec_private(P256, P256_PUBLIC))))
    private("ed25519_x25519", bad, "an X25519 key", pem("PRIVATE KEY", pkcs8(sequence(X25519_OID), octets(IDENTITY))))
    private("ed25519_der_extended", bad, "a byte behind the DER", pem("PRIVATE KEY", good + b"\0"))
    sealed = encrypted(good, b"horse")
    private("encrypted", ok, "encrypted, with its passphrase", sealed, "passphrase: horse")
    private("encrypted_wrong", bad, "encrypted, with another passphrase", sealed, "passphrase: house")
    private("encrypted_none", bad, "encrypted, without a passphrase", sealed)
    private("encrypted_needless", ok, "a passphrase for a key that needs none", text, "passphrase: horse")
    private("encrypted_label", bad, "encrypted, under the label of keys that are not", sealed.replace(b"ENCRYPTED ", b""), "passphrase: horse")
    private("encrypted_cut", bad, "encrypted, and cut", pem("ENCRYPTED PRIVATE KEY", base64.b64decode(b"".join(sealed.split(b"\n")[1:-2]))[:-1]), "passphrase: horse")
    private("encrypted_p256", bad, "an encrypted P-256 key", encrypted(pkcs8(sequence(EC_OID, P256_OID), ec_private(P256, P256_PUBLIC)), b"horse"), "passphrase: horse")


PARTS = (p256_slots, kms_slots, anchors, chains, followed, states, remembered, key_files)
