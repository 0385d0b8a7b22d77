"""Program text in the documents must be the compiled file that the line before it links to; links must lead somewhere."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
# A paragraph ending in a link and a colon, then a block of C or C++.
SNIPPET = re.compile(r"\]\(([^)\s]+)\):\n\n```(?:cpp|c)\n(.*?)```", re.DOTALL)


def main():
    problems, snippets = [], 0
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        name = document.relative_to(ROOT)
        for target in LINK.findall(text):
            if "://" not in target and not (document.parent / target).exists():
                problems.append(f"{name}: link to {target}, which is not there")
        for target, code in SNIPPET.findall(text):
            snippets += 1
            if code.strip() not in (document.parent / target).read_text(encoding="utf-8"):
                problems.append(f"{name}: the snippet is not what {target} says")
    print("\n".join(problems))
    print(f"{len(DOCUMENTS)} documents, {snippets} snippets, {len(problems)} problems")
    return 1 if problems or snippets == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
