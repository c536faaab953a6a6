#!/usr/bin/env bash
# Make the development environment in .venv: Python packages as pinned in constraints.txt, and Java for Spark.
#
# What the machine itself lacks (Java 17, Python's venv module) comes from apt-get, and never unasked: on a terminal this
# asks first; elsewhere it says what to install and ends. EMOTION_UDF_APT=yes or =no answers beforehand; CI=true means yes.
set -euo pipefail
cd "$(dirname "$0")/.."

may_install() { # may_install PACKAGE...: ask, or take the answer that was given beforehand
    local answer=${EMOTION_UDF_APT:-}
    if [ -z "$answer" ] && [ -n "${CI:-}" ]; then answer=yes; fi
    if [ -z "$answer" ] && [ -t 0 ] && [ -t 2 ]; then read -r -p "setup: run apt-get install $*? [y/N] " answer; fi
    case $answer in [yY] | [yY][eE][sS] | 1 | true) return 0 ;; *) return 1 ;; esac
}

install() { # install WHAT PACKAGE...: by apt-get, or end with a message
    local what=$1 as_root="sudo" said
    shift
    echo "setup: expected $what, found none" >&2
    if ! command -v apt-get >/dev/null || ! may_install "$@"; then
        echo "setup: install it and start again: sudo apt-get install $* (or EMOTION_UDF_APT=yes $0)" >&2
        exit 2
    fi
    if [ "$(id -u)" = 0 ]; then as_root=""; elif [ ! -t 0 ]; then as_root="sudo -n"; fi
    echo "setup: installing $*"
    said=$({ $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y "$@"; } 2>&1) || {
        echo "$said" | tail -n 20 >&2
        echo "setup: apt-get could not install $*; install $what by hand and start again" >&2
        exit 2
    }
}

python_is_new() { python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

java_version() { # the major version that Spark would start, 0 without Java
    local java=${JAVA_HOME:+$JAVA_HOME/bin/}java
    "$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p;' | grep . || echo 0
}

python_is_new || install "Python 3.11 or newer" python3
python_is_new || { echo "setup: expected Python 3.11 or newer, found $(python3 --version)" >&2; exit 2; }
python3 -c 'import ensurepip, venv' 2>/dev/null || install "Python's venv module" python3-venv
[ "$(java_version)" -ge 17 ] || install "Java 17 or newer" default-jre-headless
[ "$(java_version)" -ge 17 ] || { echo "setup: expected Java 17 or newer, found version $(java_version); set JAVA_HOME" >&2; exit 2; }

# Only the tests of the page and `make screenshots` need a browser; elsewhere than in CI these tests are skipped without it.
[ -z "${CI:-}" ] || command -v chromium >/dev/null || install "Chromium" chromium
# The same for the tests that ask PostgreSQL.
[ -z "${CI:-}" ] || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || install "PostgreSQL" postgresql
# The same for the tests of the alerts.
[ -z "${CI:-}" ] || command -v promtool >/dev/null || install "promtool" --no-install-recommends prometheus

echo "setup: making .venv (a few minutes the first time)"
[ -x .venv/bin/python ] || python3 -m venv .venv
# In the environment, not on the command line: so it also holds for what pip installs to build a package.
export PIP_CONSTRAINT=$PWD/constraints.txt
extras=int16,train,dashboard,postgres,connect,monitoring,dev
.venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --editable ".[$extras]"
touch .venv/.ready
echo "setup: done"
