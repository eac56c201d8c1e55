#!/bin/sh
# Makes .venv from the lock. Uses uv where it is on PATH, and otherwise only what comes with Python.
#   install.sh <python> <requirements.txt> <stamp>
set -eu
python=$1 lock=$2 stamp=$3
venv=$(dirname "$stamp")
# Bytecode must be written: without it every task of Airflow spends seconds on compiling what it imports.
unset PYTHONDONTWRITEBYTECODE PYTHONPATH VIRTUAL_ENV

fail() {
    echo "error: $1" >&2
    exit 1
}

fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
if uv --version >/dev/null 2>&1; then uv=uv; else uv=$venv/bin/uv; fi

if ! "$venv/bin/python" -c "$fits" >/dev/null 2>&1; then
    "$python" -c '' 2>/dev/null || fail "there is no $python; install Python 3.11 to 3.13, or name one: make PYTHON=/path/to/python3.11"
    "$python" -c "$fits" || fail "$python is $("$python" -V 2>&1), and Python 3.11 to 3.13 is needed; name one: make PYTHON=/path/to/python3.11"
    echo "making $venv with $("$python" -V)"
    if [ "$uv" = uv ]; then
        uv venv --quiet --clear --python "$python" "$venv"
    else
        "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python lacks ensurepip; install it (Debian, Ubuntu: apt install python3-venv), or install uv, or name another Python: make PYTHON=/path/to/python3.11"
        "$python" -m venv --clear "$venv"
    fi
fi
if [ "$uv" != uv ] && [ ! -x "$uv" ]; then
    version=$(sed -n 's/^uv==\([^ ;]*\).*/\1/p' "$lock")
    "$venv/bin/python" -m pip install --quiet "uv==$version"
fi
begun=$(date +%s)
echo "installing what $lock names"
"$uv" pip sync --quiet --compile-bytecode --python "$venv/bin/python" "$lock"
echo "installed in $(($(date +%s) - begun)) s"
touch "$stamp"
