#!/usr/bin/env bash
# Build what is published, into dist: the wheel, the source archive, an archive of the wheel with a Python and all that it
# needs, a bill of the Python packages in it (CycloneDX), and their digests. The same commit gives the same wheel and
# source archive, byte by byte.
#
#   EMOTION_UDF_EXTRAS    extras that the archive has too, such as int16,monitoring
set -euo pipefail
cd "$(dirname "$0")/.."

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
export DEB_PYTHON_INSTALL_LAYOUT=deb # Debian's own Python would install below `local`; others do not know the variable
tools=$PWD/.venv-audit/bin
home=$PWD/build/dist/emotion-udf

rm -rf dist build/dist
mkdir -p build/dist
"$tools/python" -m build --no-isolation --outdir dist . >build/dist/log 2>&1 || { cat build/dist/log >&2; exit 1; }
wheel=$(echo dist/*.whl)
name=${wheel%-py3*}

echo "dist: installing $wheel into a Python of its own"
tools/portable_python.sh "$tools/python" "$home"
"$tools/python" -m pip --python "$home/bin/python3" install --quiet --no-compile \
    --disable-pip-version-check --no-warn-script-location --constraint constraints.txt \
    "$wheel${EMOTION_UDF_EXTRAS:+[$EMOTION_UDF_EXTRAS]}"
# The bill of materials is that of a Python which holds the wheel, what it needs, and nothing else.
"$tools/cyclonedx-py" environment --pyproject pyproject.toml --mc-type library --output-reproducible \
    --output-file "$name.cdx.json" "$home/bin/python3"

echo "dist: packing the archive"
packages=$("$home/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cp -R jobs tools/find_gpus.sh "$home"
find "$home/bin" ! -type d ! -name 'python*' ! -name 'emotion-*' -delete # spark-submit would be Spark's without Spark
rm -rf "$home/share"
# Spark's Java is the cluster's. Nobody on a cluster compiles against torch, or runs the tests of packages.
rm -rf "$packages"/pyspark/{bin,data,examples,jars,licenses,python,sbin} "$packages"/torch/{include,test}
find "$packages" -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -r {} +
find "$packages" -type f \( -name '*.a' -o -name direct_url.json -o -path '*/torch/bin/*' ! -name torch_shm_manager \) -delete
# Commands start the Python beside them, wherever that is.
# shellcheck disable=SC2016
grep --files-with-matches --binary-files=without-match "^#!$home" "$home"/bin/* |
    xargs sed -i '1c #!/bin/sh\n'"'''exec'"' "$(dirname "$(realpath "$0")")/python3" "$0" "$@"\n'"' '''"
if grep --files-with-matches --binary-files=without-match "$home" "$home"/bin/*; then
    echo "dist: expected commands that name no folder of this machine, found the above; build in a shorter path" >&2
    exit 1
fi
# Compiled by content: archives change the times of files, and Python would compile all again at each start.
"$home/bin/python3" -m compileall -qq -j 2 --invalidation-mode unchecked-hash -s "$home" "$home/lib" || true # templates
# Of the interpreter's version and the machine's kind, which both have to be the nodes'.
version=$("$home/bin/python3" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
archive=$name-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m).tar.gz
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rw,go=u,go-w -C "$home" -c . |
    gzip --no-name --fast >"$archive"
du --apparent-size --block-size=MB --summarize "$home" "$archive"
rm -rf "$home"

(cd dist && sha256sum -- * >SHA256SUMS && cat SHA256SUMS)
