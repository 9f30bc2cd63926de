#!/bin/sh
# Prints the command of a Python 3.11 or newer: the one that is asked for, else the first on PATH; else says what to do.
set -eu

fits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ "$#" -gt 0 ] && [ -n "$1" ]; then
    if fits "$1"; then
        echo "$1"
        exit 0
    fi
    echo "PYTHON=$1 is no Python 3.11 or newer with venv: $("$1" --version 2>&1 || echo 'not found')" >&2
    exit 1
fi

for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
    if command -v "$name" >/dev/null 2>&1 && fits "$name"; then
        echo "$name"
        exit 0
    fi
done

found=$(python3 --version 2>&1 || echo 'no python3')
echo "citygen needs Python 3.11 or newer with its venv module; found: $found." >&2
echo "Install one (Debian and Ubuntu: apt install python3 python3-venv) or name one: make PYTHON=/path/to/python3.12" >&2
exit 1
