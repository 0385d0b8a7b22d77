#!/bin/sh
# consumer_test.sh BUILD SOURCE: installs a build, moves the installed tree, and builds and runs programs
# against it, through CMake's package and through pkg-config.
set -eu
build=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/moved"

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
# shellcheck disable=SC2046 # flags are words
cc -std=c11 -Wall -Werror -o "$work/c_api" "$source/examples/c_api/c_api.c" $(pkg-config --cflags --libs coffer)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir coffer) "$work/c_api" /dev/null /dev/null /dev/null 2>"$work/err" && exit 1
cat "$work/err"
grep -q '^error: ' "$work/err"

if grep -rl "$work/first" "$work/moved" --include='*.cmake' --include='*.pc'; then
    echo "the installed package names the folder it was installed to"
    exit 1
fi
