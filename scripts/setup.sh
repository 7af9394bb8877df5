#!/usr/bin/env bash
# Make the environment, or bring it up to date: scripts/setup.sh PYTHON VENV [TORCH_BACKEND]
#
# It ends up with exactly the packages of requirements.lock, checked by their hashes, and this package as it stands here.
# With TORCH_BACKEND (cpu, cu130, …) torch comes from PyTorch's own index instead, whose files the lock does not list: then
# the lock decides the versions alone. The environment remembers its backend.
set -euo pipefail

python=$1 venv=$2
remembered=$venv/.torch-backend
backend=${3:-$(cat "$remembered" 2>/dev/null || true)}

# its commands hold the path of the folder that it was made in
if [ -s "$venv/.ready" ] && [ "$(cat "$venv/.ready")" != "$(pwd -P)" ]; then
    echo "set-up: $venv was made in another folder: making it anew"
    rm -rf "$venv"
fi

if [ ! -x "$venv/bin/python" ]; then
    if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        given=$("$python" --version 2>&1) || given="which does not run"
        echo "set-up: expected Python 3.11 to 3.13, given $python ($given); choose one with PYTHON=python3.12" >&2
        exit 2
    fi
    echo "set-up: making $venv"
    trap 'rm -rf "$venv"' EXIT # half of it would be taken for the whole
    if command -v uv >/dev/null; then
        uv venv --quiet --clear --python "$(command -v "$python")" "$venv"
    else
        "$python" -m venv --clear "$venv"
    fi
    trap - EXIT
fi

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=$venv/bin/uv
    if [ ! -x "$uv" ]; then
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
            -r <(sed -n '/^uv==/,/^ *#/p' requirements.lock)
    fi
fi

quiet=--quiet
if [ -t 2 ]; then quiet=; fi
into=(--python "$venv/bin/python")
if [ -n "$backend" ]; then
    echo "set-up: installing the packages, with PyTorch's $backend build"
    "$uv" pip compile --quiet "${into[@]}" --torch-backend "$backend" --constraints requirements.lock \
        --group dev --no-header --no-annotate -o "$venv/requirements.txt" pyproject.toml
    "$uv" pip sync ${quiet:+"$quiet"} "${into[@]}" --torch-backend "$backend" "$venv/requirements.txt"
    echo "$backend" >"$remembered"
else
    echo "set-up: installing the packages (several GB the first time; the README says how to have less)"
    "$uv" pip sync ${quiet:+"$quiet"} "${into[@]}" --require-hashes requirements.lock
fi
"$uv" pip install --quiet "${into[@]}" --no-deps --no-build-isolation --editable .
