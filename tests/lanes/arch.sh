#!/bin/sh
# arch.sh BUILD ARCH: runs the tests of a build with one instruction set. 77 (skipped) where the CPU lacks it.
set -eu
build=$1
arch=$2
chosen=$(COFFER_FORCE_ARCH=$arch "$build/bin/model-pack" version --json | sed -n 's/.*"arch": *"\([a-z0-9_]*\)".*/\1/p')
if [ "$chosen" != "$arch" ]; then
    echo "SKIP: this CPU does not have $arch"
    exit 77
fi
COFFER_FORCE_ARCH=$arch exec ctest --test-dir "$build" --output-on-failure
