#!/bin/sh
# sanitize.sh PRESET [TEST ...]: builds a sanitizer preset and runs its tests, all or those named.
set -eu
cd "$(dirname "$0")/../.."
preset=$1
shift
[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" -DPython3_EXECUTABLE="$(command -v python3)"
targets= pattern=
for name; do
    targets="$targets test_$name"
    pattern="$pattern${pattern:+|}$name"
done
# shellcheck disable=SC2086 # words are targets
cmake --build "build/$preset" ${targets:+--target} $targets -j "$(nproc)"
export ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$(nproc)" ${pattern:+-R "^($pattern)\$"}
