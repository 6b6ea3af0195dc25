#!/bin/sh
# The Python environment .venv: the pinned and hashed packages of requirements/dev.txt, and this checkout itself.
# It is done again when the pins change; side by side with itself, the second waits and finds it done.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
pins=requirements/dev.txt
stamp=.venv/.mailhaul-setup
want=$(cat "$pins" pyproject.toml | sha256sum)

is_done() { [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; }

is_done && exit 0
exec 9<"$root"
flock 9
is_done && exit 0

echo "Setting up the Python environment in .venv"
if command -v uv >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv --quiet --python '>=3.11' .venv
    uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r "$pins"
    uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
else
    [ -x .venv/bin/pip ] || python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$pins"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
printf '%s\n' "$want" >"$stamp"
