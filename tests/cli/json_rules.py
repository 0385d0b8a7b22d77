"""json_rules.py: every verb's --json, held to the rules of docs/command-line.md."""

import re
import sys

import scene

OPEN = "--key me.key --trust vendor.pub"
LICENCE = "--key me.key --trust vendor.pub --trust-licensor licensor.pub --host machine-id=1"
COMMANDS = {
    "key new": ["-o new.key", "-o new.pem --signing", "-o p256.pem --p256"],
    "key pub": ["me.key", "vendor.key"],
    "pack": ["model.onnx -o p.coffer --name p --model-version 1 --encrypt-to me.pub --sign vendor.key",
             "model.onnx --dry-run"],
    "inspect": ["m.coffer", "model.onnx", "m.coffer " + OPEN, "m.coffer --trust vendor.pub", "licensed.coffer",
                "expired.coffer"],
    "verify": ["m.coffer --trust vendor.pub", "m.coffer " + OPEN, "m.coffer --oms m.sig --oms-key oms.pub"],
    "sign": ["m.coffer --sign stranger.key", "m.coffer --emit-request m.tbs --signer root.pub",
             "m.coffer --oms-key oms.key -o m.sig"],
    "recipients list": ["m.coffer"],
    "recipients add": ["late.coffer --to other.pub " + OPEN],
    "recipients remove": ["late.coffer --from other.pub " + OPEN],
    "recipients rotate": ["late.coffer --all --to me.pub --to other.pub " + OPEN],
    "grant": ["m.coffer -o g.grant --to other.pub " + OPEN],
    "licence issue": ["-o new.licence --product-key raw:product.key --to me.pub --sign licensor.key --product P "
                      "--model com.acme.net --versions 1..9 --starts 1d --expires 9d --grace 1d"],
    "licence show": ["l.licence", "l.licence --trust-licensor licensor.pub"],
    "licence check": ["l.licence --model-file licensed.coffer " + LICENCE],
    "trust new": ["--root root.pub -o new.trust", "--from 2.trust --lower com.acme.net=1 --reset-clock -o next.trust"],
    "trust sign": ["next.trust --sign root.key"],
    "trust init": ["--bundle 1.trust --trust-store other"],
    "trust update": ["2.trust --trust-store other"],
    "trust show": ["1.trust", "next.trust", "--trust-store seen"],
    "run": ["m.coffer --input bytes=@x.npy --profile --output-dir out " + OPEN],
    "compare": ["model.onnx m.coffer --data samples " + OPEN],
    "bench": ["m.coffer --repeat 2 --profile --threads 1 " + OPEN],
    "dump": ["m.coffer " + OPEN, "ints.onnx --plan"],
    "ops": [""],
    "onnx-test": ["cases"],
    "doctor": [""],
    "version": [""],
    "completion": [""],
}
# What a name must hold, by its end. The rules of the page, in its order.
RULES = [
    (r".*_time", lambda v: v is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", v)),
    (r".*_(seconds|ms|us)", lambda v: type(v) in (int, float)),
    (r".*_bytes", lambda v: v is None or type(v) is int),
    (r".*_count", lambda v: type(v) is int),
    (r".*_counts", lambda v: all(type(n) is int for n in v.values())),
    (r".*_ids?", lambda v: all(re.fullmatch("[0-9a-f]{16,}", i) for i in ([v] if type(v) is str else v))),
    (r"(.*_)?sha256|.*_hex", lambda v: re.fullmatch("[0-9a-f]+", v)),
    (r".*_number|.*_version|generation", lambda v: v is None or type(v) is int),
    (r"file|output|trust_store", lambda v: type(v) is str),
]
# Objects whose names are no fields: they come from a model, or are a list of kinds.
NAMED = {"metadata", "thresholds", "op_counts", "pass_counts"}
problems, types, used = [], {}, set()


def kind(value):
    return "number" if type(value) in (int, float) else type(value).__name__


def walk(value, where):
    if type(value) is list:
        for item in value:
            walk(item, where)
    if type(value) is not dict:
        return
    for name, below in value.items():
        place = "%s: %s" % (where, name)
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            problems.append("%s: not a name in snake_case" % place)
        for pattern, holds in RULES:
            if re.fullmatch(pattern, name):
                used.add(pattern)
                if not holds(below):
                    problems.append("%s: %r breaks the rule for %s" % (place, below, pattern))
        if below is not None and types.setdefault(name, (kind(below), place))[0] != kind(below):
            problems.append("%s is a %s, and a %s at %s" % (place, kind(below), *types[name]))
        # A bare whole number says neither unit nor meaning.
        if type(below) is int and not any(re.fullmatch(p, name) for p, _ in RULES) and name not in BARE:
            problems.append("%s: a number whose name does not say of what" % place)
        if name not in NAMED:
            walk(below, where)


BARE = {"schema", "exit_code", "opset", "shape", "graph_index"}
scene.make()
scene.run_json("key new --p256 -o oms.key")
scene.subprocess.run("openssl pkey -in oms.key -pubout -out oms.pub", shell=True, check=True)
problems += ["no command for '%s'" % verb for verb in scene.verbs() if verb not in COMMANDS]
for verb in scene.verbs():
    # OMS needs the bundle that `sign` makes.
    for arguments in sorted(COMMANDS.get(verb, []), key=lambda a: "--oms " in a):
        if "--oms m.sig" in arguments:
            scene.run_json("sign m.coffer --oms-key oms.key -o m.sig")
        command = "%s %s" % (verb, arguments)
        code, document = scene.run_json(command)
        if code != (8 if verb == "onnx-test" else 0):
            problems.append("%s: exit code %d: %s" % (command, code, document))
        if list(document)[:2] != ["verb", "schema"] or document["verb"] != verb or document["schema"] != 1:
            problems.append("%s: the document does not begin with its verb and schema" % command)
        walk(document, verb)
# A failure of any verb: a missing argument, and something found while it runs.
for command in [*scene.verbs(), "verify none.coffer", "nonsense", "pack --nonsense", "trust show none --trust-store x"]:
    code, document = scene.run_json(command + " --nonsense" if command in COMMANDS else command)
    error = document.get("error", {})
    if set(error) != {"code", "detail", "exit_code", "message", "hint"} or error["exit_code"] != code or code == 0:
        problems.append("%s: exit code %d, %s" % (command, code, document))
    walk(document, command)
problems += ["no field for the rule %s" % pattern for pattern, _ in RULES if pattern not in used]
print("\n".join(problems) or "ok")
