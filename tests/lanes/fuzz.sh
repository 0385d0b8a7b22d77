#!/bin/sh
# fuzz.sh SECONDS: every fuzz target for so long.
set -eu
cd "$(dirname "$0")/../.."
exec ./dev fuzz "$1"
