"""man.py PAGE: every verb and option of --help stands in the manual page, and the other way round."""

import re
import subprocess
import sys

page = open(sys.argv[1], encoding="utf-8").read()


def help_of(*verb):
    return subprocess.run(["model-pack", *verb, "--help"], stdout=subprocess.PIPE, check=True, text=True).stdout


def verbs_of(text):
    listing = text.split("Subcommands:\n", 1)[1] if "Subcommands:\n" in text else ""
    return re.findall(r"^  ([a-z0-9-]+) ", listing.split("\n\n")[0], re.M)


def options_of(text):
    listing = text.split("Options:", 1)[1].split("\n\n", 1)[0]
    return set(re.findall(r"^  (?:-\w,)?(--[a-z0-9-]+)", listing, re.M)) - {"--help"}


verbs = []
for verb in verbs_of(help_of()):
    below = verbs_of(help_of(verb))
    verbs += [(verb, v) for v in below] or [(verb,)]
sections = dict(re.findall(r'^\.Ss (.+?)\n(.*?)(?=^\.S[sh] )', page, re.M | re.S))
common = set(re.findall(r"^\.It Fl Fl ([a-z0-9-]+)", page.split(".Sh COMMON OPTIONS", 1)[1].split("\n.Sh ", 1)[0], re.M))
wrong = []
known = set()
for verb in verbs:
    name = " ".join(verb)
    section = sections.pop(name, None)
    if section is None:
        wrong.append("the page has no section '%s'" % name)
        continue
    documented = {"--" + o for o in re.findall(r"^\.It (?:Fl \w , )?Fl Fl ([a-z0-9-]+)", section, re.M)}
    real = options_of(help_of(*verb))
    known |= real
    wrong += ["%s: %s is not in the page" % (name, o) for o in sorted(real - documented - {"--" + c for c in common})]
    wrong += ["%s: the page has %s" % (name, o) for o in sorted(documented - real)]
wrong += ["the page has a section '%s'" % s for s in sections]
wrong += ["the page has the common option --%s" % o for o in sorted(common) if "--" + o not in known]
print("\n".join(wrong) or "ok")
