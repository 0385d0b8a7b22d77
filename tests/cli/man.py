"""man.py PAGE: every verb and option of --help stands in the manual page, and the other way round; and the completion
script, run in bash, offers the same. Keys in examples have the names of the README: .key is private, .pem a public key
that verifies, .pub one to encrypt to."""

import re
import subprocess
import sys

import scene

page = open(sys.argv[1], encoding="utf-8").read()


def options_of(text):
    listing = text.split("Options:", 1)[1].split("\n\n", 1)[0]
    return set(re.findall(r"^  (?:-\w,)?(--[a-z0-9-]+)", listing, re.M)) - {"--help"}


def completions(words):
    """What completion offers after each list of words: {words: [offered]}"""
    asked = "".join('COMP_WORDS=(model-pack %s "%s"); COMP_CWORD=%d; COMPREPLY=(); _model_pack; echo "${COMPREPLY[*]}"\n'
                    % (before, begun, len(before.split()) + 1) for before, begun in words)
    script = subprocess.run(["model-pack", "completion"], capture_output=True, text=True, check=True).stdout + asked
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return dict(zip(words, map(str.split, done.stdout.splitlines())))


verbs = scene.verbs()
sections = dict(re.findall(r'^\.Ss (.+?)\n(.*?)(?=^\.S[sh] )', page, re.M | re.S))
common = set(re.findall(r"^\.It Fl Fl ([a-z0-9-]+)", page.split(".Sh COMMON OPTIONS", 1)[1].split("\n.Sh ", 1)[0], re.M))
wrong = []
known = set()
offered = completions([(verb, "--") for verb in verbs] + [("", ""), *((v, "") for v in {v.split()[0] for v in verbs if " " in v})])
for name in verbs:
    section = sections.pop(name, None)
    if section is None:
        wrong.append("the page has no section '%s'" % name)
        continue
    documented = {"--" + o for o in re.findall(r"^\.It (?:Fl \w , )?Fl Fl ([a-z0-9-]+)", section, re.M)}
    real = options_of(scene.help_of(*name.split()))
    known |= real
    wrong += ["%s: %s is not in the page" % (name, o) for o in sorted(real - documented - {"--" + c for c in common})]
    wrong += ["%s: the page has %s" % (name, o) for o in sorted(documented - real)]
    wrong += ["%s: completion and --help differ in %s" % (name, o) for o in sorted(real ^ set(offered[name, "--"]) - {"--help"})]
    *before, last = name.split()
    if last not in offered[" ".join(before), ""]:
        wrong.append("completion does not offer '%s'" % name)
wrong += ["the page has a section '%s'" % s for s in sections]
wrong += ["the page has the common option --%s" % o for o in sorted(common) if "--" + o not in known]
examples = {name: scene.help_of(*name.split()) for name in verbs} | {"the page": page}
for options, suffix in (("key|sign|sign-slots", "key"), ("trust|trust-licensor|signer|root|publisher|retire", "pem"),
                        ("encrypt-to|to|from", "pub")):
    wrong += ["%s: --%s %s" % (name, option, file) for name, text in examples.items() for option, file, end in
              re.findall(r"--(%s) (\S+\.(key|pem|pub|txt))\b" % options, text) if end != suffix]
print("\n".join(wrong) or "ok")
