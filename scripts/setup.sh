#!/usr/bin/env bash
# Makes the environment in .venv (or $LMEDGE_VENV) with the versions of constraints.txt, once, and again when they
# change: scripts/setup.sh [EXTRAS]
# EXTRAS: those of pyproject.toml, `train` by default. Scripts in Bash source it: it sets $venv, and answers their
# --help with the head of the script; environment.py is the same for scripts in Python.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${LMEDGE_VENV:-$root/.venv}

fail() {
    echo "$(basename "$0"): $1" >&2
    exit 1
}

case ${1:-} in -h | --help)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit
esac

make_environment() {
    local extras=$1 python="" candidate
    local stamp=$venv/lmedge-$extras.stamp
    local wanted
    wanted=$(cat "$root/pyproject.toml" "$root/constraints.txt" | sha256sum)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    if [ ! -x "$venv/bin/python" ]; then
        for candidate in ${PYTHON:-python3.11 python3 python}; do
            if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
                python=$candidate
                break
            fi
        done
        [ -n "$python" ] || fail "Python 3.11 is missing; install it (Debian: apt install python3.11-venv) or set PYTHON to it."
        echo "making $venv with $("$python" --version)" >&2
        "$python" -m venv "$venv" || fail "python -m venv failed; the venv module is missing (Debian: apt install python3.11-venv)."
    fi
    echo "installing lmedge[$extras] into $venv (about 1 GB is downloaded the first time)" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$root/constraints.txt" --editable "$root[$extras]" ||
        fail "pip could not install the packages; is the network there, and 5 GB of disk?"
    echo "$wanted" > "$stamp"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    make_environment "${1:-train}"
fi
