# Makes .venv where it is missing and installs the project with the extras named in $extras; sourced by the other scripts.
# JAXRISK_PYTHON chooses the interpreter, JAXRISK_VENV the folder.
set -eu
venv="${JAXRISK_VENV:-.venv}"
if [ ! -x "$venv/bin/python" ]; then
    python="${JAXRISK_PYTHON:-}"
    for candidate in $python python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python="$candidate"
            break
        fi
    done
    if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "jaxrisk needs Python 3.11 or later; name one with JAXRISK_PYTHON=/path/to/python" >&2
        exit 2
    fi
    echo "Making $venv with $("$python" --version)"
    "$python" -m venv "$venv"
fi
# what is installed is remembered by the project file and the extras, so that a second run starts at once
stamp="$venv/.installed-$(printf '%s' "$extras" | tr -c 'a-z' '-')-$(cksum <pyproject.toml | cut -d' ' -f1)"
if [ ! -f "$stamp" ]; then
    echo "Installing jaxrisk$extras and what it needs into $venv (a minute or two)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".$extras"
    touch "$stamp"
fi
