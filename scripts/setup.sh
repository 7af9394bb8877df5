#!/usr/bin/env bash
# Make the environment: scripts/setup.sh PYTHON VENV [TORCH_BACKEND]
#
# It ends up with exactly the packages of requirements.lock, checked by their hashes, and this package as it stands here.
# With TORCH_BACKEND (cpu, cu130, …) torch comes from PyTorch's own index instead, whose files the lock does not list: then
# the versions are resolved anew from pyproject.toml.
set -euo pipefail

python=$1 venv=$2 backend=${3:-}

if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    given=$("$python" --version 2>&1 | head -n 1) || true
    echo "set-up: expected Python 3.11 to 3.13, given $python (${given:-not found}); choose one with PYTHON=python3.12" >&2
    exit 2
fi

if [ ! -x "$venv/bin/python" ]; then
    echo "set-up: making $venv"
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$(command -v "$python")" "$venv"
    else
        "$python" -m venv "$venv"
    fi
fi

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=$venv/bin/uv
    if [ ! -x "$uv" ]; then
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$(grep -oE '^uv==[0-9.]+' requirements.lock)"
    fi
fi

echo "set-up: installing the packages (several GB the first time; the README says how to have less)"
if [ -n "$backend" ]; then
    "$uv" pip install --python "$venv/bin/python" --torch-backend "$backend" --group dev -r pyproject.toml
else
    "$uv" pip sync --quiet --python "$venv/bin/python" --require-hashes requirements.lock
fi
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
