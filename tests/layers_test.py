"""The #include lines of the tree against the layers and fences of ARCHITECTURE.md.

Reads text only: needs nothing built. `layers_test.py --self-test` checks that the checker finds what it must.
"""
import pathlib
import re
import sys
import tempfile

# Layer -> layers it may include; every layer may include itself.
DIRECT = {
    "base": set(),
    "graph": {"base"},
    "codec": {"base"},
    "crypto": {"base"},
    "kernels": {"base"},
    "ops": {"graph", "kernels"},
    "trust": {"crypto", "base"},
    "container": {"graph", "codec", "crypto", "trust"},
    "runtime": {"container", "ops"},
    "capi": {"runtime"},
    "offline": {"runtime"},
    "tools": {"offline"},
}

# Third-party or system header pattern -> layers that may include it.
FENCES = [
    (re.compile(r"^(openssl/|p11-kit/|pkcs11)"), {"crypto"}),
    (re.compile(r"^flatbuffers/|_generated\.h$"), {"container", "trust"}),
    (re.compile(r"^protozero/|^(unsupported/)?Eigen/"), {"offline"}),
    (re.compile(r"^xsimd/"), {"kernels"}),
    (re.compile(r"^(CLI/|nlohmann/|fmt/)"), {"tools"}),
]
# Operating system headers: base/os_*.cpp alone. The tool's main() may ask for signals and terminals.
SYSTEM = re.compile(
    r"^(sys/|linux/|asm/|unistd\.h|fcntl\.h|dlfcn\.h|pthread\.h|poll\.h|termios\.h|dirent\.h|mach/|windows\.h|"
    r"signal\.h|sched\.h|netinet/|arpa/)"
)

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)
SUFFIXES = {".h", ".hpp", ".cpp", ".c"}


def reachable():
    """Allowed edges, transitively: who may use a layer may use what that layer is made of."""
    edges = {}
    for layer in DIRECT:
        seen, todo = set(), [layer]
        while todo:
            for below in DIRECT[todo.pop()]:
                if below not in seen:
                    seen.add(below)
                    todo.append(below)
        edges[layer] = seen | {layer}
    return edges


def layer_of(path):
    """The layer a file of the tree belongs to, None for public faces, tests, benchmarks and examples."""
    parts = path.parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("include", "coffer") and len(parts) > 3:
        return parts[2]
    if parts[0] == "tools":
        return "tools"
    return None


def layer_of_include(name, path, root):
    """The layer an include line points to, None for what is not ours."""
    for candidate in (pathlib.Path("include") / name, pathlib.Path("src") / name):
        if (root / candidate).exists():
            return layer_of(candidate)
    if (root / path.parent / name).exists():
        return layer_of(path)
    return None


def check(root):
    """(number of include lines seen, list of violations)."""
    allowed = reachable()
    seen, problems = 0, []
    files = [p for top in ("include", "src", "tools") for p in sorted((root / top).rglob("*"))]
    for file in files:
        if file.suffix not in SUFFIXES:
            continue
        path = file.relative_to(root)
        layer = layer_of(path)
        if layer is not None and layer not in DIRECT:
            problems.append(f"{path}: folder '{layer}' is no layer")
            continue
        for name in INCLUDE.findall(file.read_text(encoding="utf-8")):
            seen += 1
            target = layer_of_include(name, path, root)
            if layer and target and target not in allowed[layer]:
                problems.append(f"{path}: layer {layer} must not include {name} of layer {target}")
            if layer is None and target is not None:
                problems.append(f"{path}: a public header must not include the internal {name}")
            for pattern, homes in FENCES:
                if pattern.search(name) and layer not in homes:
                    problems.append(f"{path}: {name} belongs to {' and '.join(sorted(homes))} only")
            in_os = layer == "base" and path.name.startswith("os_")
            if SYSTEM.match(name) and not in_os and path.parts[0] != "tools":
                problems.append(f"{path}: {name} is for base/os_*.cpp only")
    return seen, problems


def self_test():
    """Every rule must be able to fail."""
    cases = {
        "src/crypto/a.cpp": '#include "graph/g.hpp"\n',
        "src/graph/g.hpp": "#include <openssl/evp.h>\n",
        "src/runtime/r.cpp": '#include "offline/o.hpp"\n',
        "src/offline/o.hpp": "#include <sys/mman.h>\n",
        "src/newlayer/x.cpp": "\n",
        "include/coffer/coffer.hpp": '#include "coffer/base/b.hpp"\n',
        "include/coffer/base/b.hpp": "#  include <Eigen/Dense>\n",
        "include/coffer/kernels/k.hpp": '#include <xsimd/xsimd.hpp>\n#include "coffer/base/b.hpp"\n',
        "src/offline/fine.cpp": '#include "runtime/r.hpp"\n#include "coffer/base/b.hpp"\n#include <vector>\n',
        "src/runtime/r.hpp": "\n",
    }
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in cases.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        (root / "tools").mkdir()
        _, problems = check(root)
    blamed = sorted({p.split(":")[0] for p in problems})
    expected = sorted(set(cases) - {"include/coffer/kernels/k.hpp", "src/offline/fine.cpp", "src/runtime/r.hpp"})
    assert blamed == expected, (blamed, expected)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    self_test()
    seen, problems = check(root)
    for problem in problems:
        print(problem)
    print(f"{seen} include lines, {len(problems)} violations")
    return 1 if problems or seen < 500 else 0


if __name__ == "__main__":
    sys.exit(main())
