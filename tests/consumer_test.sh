#!/bin/sh
# consumer_test.sh BUILD SOURCE: installs a build, moves the installed tree, and builds and runs programs
# against it, through CMake's package and through pkg-config.
set -eu
build=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}" # what the tree itself is built with
cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/moved"

# What a user gets: these headers, which include nothing else of ours, and the documents.
include=$work/moved/include
(cd "$include" && find . -type f | sed 's,^\./,,' | sort) >"$work/headers"
grep -v '^coffer/kernels/' "$work/headers" | tr '\n' ' ' >"$work/others"
if [ "$(cat "$work/others")" != "coffer/base/dtype.hpp coffer/coffer.h coffer/coffer.hpp " ]; then
    echo "installed headers beside the kernels: $(cat "$work/others")"
    exit 1
fi
grep -rhoE '#include "[^"]+"' "$include" | sed 's/#include "\(.*\)"/\1/' | sort -u >"$work/included"
if grep -vxF -f "$work/headers" "$work/included"; then
    echo "is included by an installed header, and is not installed"
    exit 1
fi
for language in "c -std=c99" "c++ -std=c++11"; do
    # shellcheck disable=SC2086 # a language and its standard
    cc -x $language -Wall -Wextra -pedantic -Werror -fsyntax-only "$include/coffer/coffer.h"
done
for document in README.md CHANGELOG.md docs/embedding.md docs/format.md; do
    test -s "$work/moved/share/doc/coffer/$document"
done

cmake -S "$source/examples/consumer" -B "$work/consumer" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_PREFIX_PATH="$work/moved" >/dev/null
cmake --build "$work/consumer" >/dev/null
"$work/consumer/kernels"
"$work/consumer/consumer" >"$work/out"
cat "$work/out"
grep -q '^coffer [0-9]*\.[0-9]*\.[0-9]* on ' "$work/out"
grep -q '(auth)$' "$work/out"

pc=$(find "$work/moved" -name coffer.pc)
export PKG_CONFIG_PATH="${pc%/*}"
test "$(pkg-config --modversion coffer)" = "$("$work/consumer/consumer" | sed -n 's/^coffer \([0-9.]*\) on .*/\1/p')"
objdump -p "$(pkg-config --variable=libdir coffer)/libcoffer.so" | grep -q 'SONAME *libcoffer\.so\.0$'
# shellcheck disable=SC2046 # flags are words
cc -std=c11 -Wall -Werror -o "$work/c_api" "$source/examples/c_api/c_api.c" $(pkg-config --cflags --libs coffer)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir coffer) "$work/c_api" /dev/null /dev/null /dev/null 2>"$work/err" && exit 1
cat "$work/err"
grep -q '^error: ' "$work/err"

if grep -rl "$work/first" "$work/moved" --include='*.cmake' --include='*.pc'; then
    echo "the installed package names the folder it was installed to"
    exit 1
fi
