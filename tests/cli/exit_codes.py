"""exit_codes.py PAGE: what the table "Exit codes" of docs/command-line.md says of each cause, verb by verb."""

import re
import sys

import scene

ME, VENDOR = "--key me.key", "--trust vendor.pub"
ACCESS = ME + " " + VENDOR
OPENING = ["verify {} %s", "run {} %s --input bytes=@x.npy", "bench {} %s --repeat 1", "dump {} %s", "inspect {} %s",
           "recipients add {} %s --to other.pub", "recipients remove {} %s --from me.pub",
           "recipients rotate {} %s --all --to other.pub", "grant {} %s --to other.pub -o x.grant",
           "compare model.onnx {} %s --data samples"]
READING = ["inspect {}", "recipients list {}", "sign {} --sign vendor.key", "verify {} " + VENDOR,
           "sign {} --emit-request x.tbs --signer root.pub", "trust new --root root.pub --revoke-file {} -o x.trust"]


def each(commands, file, options=ACCESS):
    return [(c % options if "%s" in c else c).format(file) for c in commands]


CAUSES = {
    "an unknown verb or option, an impossible value, options that contradict each other or are missing": [
        "nonsense", "verify", "verify m.coffer --nonsense", "run m.coffer --threads x", "pack model.onnx -o x.coffer",
        "pack model.onnx -o x.coffer --unprotected --data samples", "key new -o x --signing --p256",
        "pack model.onnx -o x.coffer --unprotected --synthetic", "sign m.coffer", "recipients rotate m.coffer --to me.pub",
        "pack model.onnx -o x.coffer --unprotected --precision int8", "trust new --root root.pub --threshold x=1 -o x.trust",
        "verify m.coffer --bundle 1.trust " + VENDOR, "verify m.coffer --oms x", "licence issue -o x"],
    "a key or recipient given twice, or one that is there already": [
        "pack model.onnx -o x.coffer --name n --model-version 1 --encrypt-to me.pub --sign vendor.key --sign vendor.key",
        "pack model.onnx -o x.coffer --name n --model-version 1 --encrypt-to me.pub --encrypt-to me.pub --sign vendor.key",
        "pack model.onnx -o x.coffer --name n --model-version 1 --encrypt-to raw:product.key --encrypt-to raw:product.key "
        "--sign vendor.key",
        "grant m.coffer --to other.pub --to other.pub -o x.grant " + ACCESS,
        "recipients add m.coffer --to me.pub " + ACCESS,
        "licence issue --product-key raw:product.key --to me.pub --to me.pub --sign licensor.key --product P --model t -o x",
        "licence issue --product-key raw:product.key --to me.pub --sign licensor.key --sign licensor.key --product P "
        "--model t -o x",
        "sign m.coffer --sign vendor.key", "sign m.coffer --sign stranger.key --sign stranger.key",
        "trust sign 1.trust --sign root.key", "trust sign unsigned.trust --sign root.key --sign root.key",
        "trust sign unsigned.trust --sign stranger.key", "trust new --root root.pub --publisher root.pub -o x.trust",
        *each(OPENING, "m.coffer", ACCESS + " " + VENDOR), *each(OPENING, "m.coffer", ACCESS + " " + ME),
        *["verify m.coffer " + 2 * (" --%s stranger.pub" % o) for o in ("trust-distributor", "trust-licensor")],
        "run m.coffer --input bytes=@x.npy --input bytes=@x.npy " + ACCESS, "trust new --root root.pub --root root.pub -o x.trust"],
    "an output that would replace an input": [
        "pack model.onnx -o model.onnx --unprotected", "grant m.coffer --to other.pub -o m.coffer " + ACCESS,
        "licence issue --product-key raw:product.key --to me.pub --sign licensor.key --product P --model t -o product.key",
        "trust new --from 1.trust -o 1.trust", "sign m.coffer --emit-request m.coffer --signer root.pub"],
    "an input that the model does not have, or of another type or shape": [
        "run m.coffer --input pixels=@x.npy " + ACCESS, "run m.coffer " + ACCESS,
        "run m.coffer --input bytes=@y.npy " + ACCESS, "run m.coffer --input bytes=@z.npy " + ACCESS,
        "bench m.coffer --input bytes=@z.npy " + ACCESS, "dump m.coffer --plan --input bytes=@z.npy " + ACCESS],
    "a file or folder that is not there": [
        *each(OPENING, "none"), *each(OPENING, "none", ""), *each(READING, "none"), "pack none -o x --unprotected",
        "compare none m.coffer --data samples " + ACCESS, "compare model.onnx m.coffer --data none " + ACCESS,
        "inspect none.onnx", "dump none.onnx", "key pub none", "licence show none", "trust show none", "onnx-test none",
        "trust update none --trust-store seen", "trust sign none --sign root.key", "trust show --trust-store none",
        "trust init --bundle none --trust-store new", "trust sign 1.trust --sign none",
        "licence check none --model-file m.coffer", "licence check l.licence --model-file none",
        *["verify m.coffer --%s none" % o for o in ("key", "trust", "trust-distributor", "trust-licensor", "licence",
                                                    "grant", "bundle", "trust-store")],
        "run m.coffer --input bytes=@none " + ACCESS,
        "pack model.onnx -o x.coffer --name n --model-version 1 --encrypt-to none --sign vendor.key",
        "pack model.onnx -o x.coffer --name n --model-version 1 --encrypt-to me.pub --sign none",
        "pack model.onnx -o x.coffer --unprotected --attach none", "pack model.onnx -o none/x.coffer --unprotected",
        "key new -o none/x", "grant m.coffer --to other.pub -o none/x " + ACCESS, "trust new --root root.pub -o none/x"],
    "what cannot be read or written": [
        *each(OPENING, "samples"), *each(READING[:4], "samples"), "verify m.coffer --key samples " + VENDOR,
        "pack model.onnx -o model.onnx/x.coffer --unprotected", "key new -o me.key",
        "run m.coffer --input bytes=@x.npy --output-dir model.onnx " + ACCESS],
    "a trust store that is there already": ["trust init --bundle 1.trust --trust-store seen"],
    "a file that is no model, grant, bundle or tensor": [
        *each(OPENING, "noise"), *each(OPENING, "noise", ""), *each(OPENING[:4], "model.onnx", "")[:3], *each(READING, "noise"), "pack noise -o x.coffer --unprotected", "trust show noise",
        "trust sign noise --sign root.key", "trust update noise --trust-store seen",
        "licence check l.licence --model-file noise", "verify m.coffer --bundle noise", "verify m.coffer --grant noise --key me.key " + VENDOR,
        *["%s m.coffer --grant noise " % v + VENDOR for v in ("inspect", "verify")],
        "run m.coffer --input bytes=@noise " + ACCESS, "trust new --from noise -o x.trust"],
    "a file that is no licence": [
        "licence show noise", "licence check noise --model-file m.coffer",
        "trust new --root root.pub --revoke-licence noise -o x.trust",
        "verify m.coffer --licence noise --key me.key " + VENDOR],
    "a model that was cut, or has bytes behind its end": [
        *each(OPENING, "cut.coffer"), *each(OPENING, "long.coffer"), *each(READING, "cut.coffer"), *each(READING, "long.coffer")],
    "a key file that others may read, or that holds no such key": [
        "verify m.coffer --key open.key " + VENDOR, "key pub open.key", "key pub x.npy", "key pub noise", "key pub me.pub", "key pub product.key", "verify m.coffer --key vendor.key " + VENDOR,
        "verify m.coffer --trust me.pub", "sign m.coffer --sign me.key", "trust sign 1.trust --sign me.key",
        "verify m.coffer --key raw:me.key " + VENDOR, "recipients add m.coffer --to vendor.pub " + ACCESS,
        "licence issue --product-key raw:me.key --to me.pub --sign licensor.key --product P --model t -o x",
        "pack model.onnx -o x.coffer --name n --model-version 1 --encrypt-to raw:me.key --sign vendor.key"],
    "nobody is trusted, or too few of the trusted signed": [
        *each(OPENING, "m.coffer", ME), *each(OPENING, "m.coffer", ME + " --trust stranger.pub"),
        "verify m.coffer", "verify m.coffer --trust vendor.pub --trust stranger.pub --threshold 2",
        "verify m.coffer --bundle unsigned.trust", "trust init --bundle unsigned.trust --trust-store new",
        "licence show l.licence --bundle unsigned.trust"],
    "no signature, or a wrong one": each(OPENING, "unsigned.coffer"),
    "no key opens the file": [*each(OPENING[1:5], "m.coffer", "--key other.key " + VENDOR), *each(
        OPENING[5:], "m.coffer", "--key other.key " + VENDOR), "verify m.coffer --key other.key " + VENDOR],
    "changed bytes of the graph": [*each(OPENING[:5], "graph.coffer"), "verify graph.coffer " + VENDOR, "sign graph.coffer --sign stranger.key"],
    "changed bytes of the weights": [
        *each(OPENING[:5], "bad.coffer"), "verify bad.coffer " + VENDOR, "sign bad.coffer --sign stranger.key",
        "sign bad.coffer --emit-request x.tbs --signer root.pub"],
    "an older version than is asked for, or was seen": [
        *each(OPENING, "m.coffer", ACCESS + " --min-version 4"), "verify m.coffer --trust-store seen",
        "run m.coffer --trust-store seen --key me.key --input bytes=@x.npy"],
    "a model of another name": each(OPENING, "m.coffer", ACCESS + " --name com.acme.other"),
    "a model or bundle that expired": each(OPENING, "expired.coffer"),
    "a model, licence or key that was revoked": each(OPENING, "m.coffer", ME + " --bundle 2.trust"),
    "a model packed with `--unprotected`, opened without `--allow-unprotected`; signatures are judged first": each(
        [c for c in OPENING if "--from" not in c], "clear.coffer", ME + " --allow-unsigned"),
    "no licence that permits it": [
        *each(OPENING[:5], "licensed.coffer"), *each(OPENING[:5], "licensed.coffer", ACCESS + " --trust-licensor licensor.pub"),
        "licence check l.licence --model-file licensed.coffer --trust-licensor licensor.pub --host machine-id=2 " + ACCESS],
    "an op or feature that this version does not have": [
        "pack unknown.onnx -o x.coffer --unprotected", "pack unknown.onnx --dry-run", "inspect unknown.onnx", "dump unknown.onnx",
        "compare unknown.onnx m.coffer --data samples " + ACCESS],
    "`onnx-test`: a case did not pass; the document is the result": ["onnx-test cases"],
    "more memory than `--max-memory`": each(OPENING[:5], "m.coffer", ACCESS + " --max-memory 20kB"),
}

page = open(sys.argv[1], encoding="utf-8").read().split("## Exit codes", 1)[1]
rows = {cause.strip(): [c.strip() for c in rest] for cause, *rest in
        (line.strip("|").split("|") for line in re.findall(r"^\|.*", page, re.M)[2:])}
problems = ["no command for: %s" % c for c in rows if c not in CAUSES] + ["not in the page: %s" % c for c in CAUSES if c not in rows]
scene.make()
walked = 0
for cause, (code, group, detail) in rows.items():
    for command in CAUSES.get(cause, []):
        got, document = scene.run_json(command)
        error = document.get("error", {})
        walked += 1
        if (str(got), error.get("code", ""), error.get("detail", "")) != (code, group, detail):
            problems.append("%s\n    model-pack %s\n    %s, expected %s %s %s" % (cause, command, (got, error), code, group, detail))
        # Whatever was found is found in a file, and that has a name.
        named = [w for w in re.split(r"[ @]", command) if re.search(r"^(none|noise|cut|long|bad|open)\b", w)]
        if error and named and not any(n.split("/")[0] in error["message"] for n in named):
            problems.append("model-pack %s\n    does not name %s: %s" % (command, named, error["message"]))
print("\n".join(problems) or "%d causes, %d commands ok" % (len(rows), walked))
