#!/usr/bin/env bash
# spark-submit that starts in half the time, for a driver on this machine: local mode, or client mode of a cluster.
#
#     tools/submit.sh --prepare    # once, and again after Java or Spark has changed; takes a minute
#     tools/submit.sh [options of spark-submit] jobs/score_feedback.py --config conf/nightly.toml --date 2026-10-05
#
# What each start would do again is done once:
# - The JVM reads, checks and links thousands of classes. Here it maps them from an archive that a run of the demo left.
# - Each Python compiles pyspark, which spark-submit has it import from a zip of sources. Here a folder goes by the name
#   of that file, with links to the package beside whose sources Python keeps what it compiled.
# Unprepared, a job starts by plain spark-submit; with an archive that is not Java's own, Java leaves it alone.
#
#   SPARK_CONF_DIR       as for spark-submit, and by default the project's conf; not sent to executors on Kubernetes
#   EMOTION_UDF_CACHE    the folder of what is prepared, 200 MB for each Java and Spark; by default ~/.cache/emotion-udf
set -euo pipefail

fail() { echo "submit: $1" >&2; exit 2; }

project=$(realpath "$(dirname "$0")/..")
SPARK_CONF_DIR=$(realpath "${SPARK_CONF_DIR:-$project/conf}")
[ -d "$SPARK_CONF_DIR" ] || fail "expected the folder of Spark's settings in SPARK_CONF_DIR, found no $SPARK_CONF_DIR"
if [ -z "${SPARK_HOME:-}" ]; then
    finder=$(command -v find-spark-home) || fail "expected Spark, found none; activate the Python that has pyspark"
    # shellcheck disable=SC2016 # the inner shell expands it
    SPARK_HOME=$(bash -c '. "$0"; echo "$SPARK_HOME"' "$finder")
fi
[ -d "$SPARK_HOME/jars" ] || fail "expected Spark in SPARK_HOME, found no folder $SPARK_HOME/jars"
export SPARK_CONF_DIR SPARK_HOME
set +u # Spark's script reads what may be unset; it brings spark-env.sh, which may set JAVA_HOME
# shellcheck source=/dev/null
. "$SPARK_HOME/bin/load-spark-env.sh"
set -u
java=$(command -v "${JAVA_HOME:+$JAVA_HOME/bin/}java") || fail "expected Java, found none; install it or set JAVA_HOME"
key=$(stat --dereference --format '%n %s %Y' "$java" "$SPARK_HOME/jars" | sha256sum | cut --characters -16)
prepared=${EMOTION_UDF_CACHE:-${HOME:-/nonexistent}/.cache/emotion-udf}/$key

submit() { # submit OPTIONS-OF-THE-JVM ARGUMENT...
    local options=$1 defaults=$SPARK_CONF_DIR/spark-defaults.conf
    shift
    [ ! -f "$defaults" ] || set -- --properties-file "$defaults" "$@"
    [ -n "${PYSPARK_ARCHIVES_PATH:-}" ] || # what YARN sends to executors: real zips
        PYSPARK_ARCHIVES_PATH=$(printf ',%s' "$SPARK_HOME"/python/lib/*.zip | cut --characters 2-)
    export PYSPARK_ARCHIVES_PATH SPARK_HOME=$prepared/spark
    export SPARK_CONF_DIR=/nonexistent # Java uses no archive where a folder with files comes before Spark's jars
    options="-Xlog:cds=off -Xlog:cds+dynamic=off $options"
    export SPARK_SUBMIT_OPTS="$options ${SPARK_SUBMIT_OPTS:-}"
    exec "$SPARK_HOME/bin/spark-submit" "$@"
}

if [ "${1:-}" != --prepare ]; then
    # Java looks at all of an archive but its length, and dies of one that was cut.
    if [ "$(stat --format %s "$prepared/classes.jsa" 2>&1)" != "$(cat "$prepared/length" 2>&1)" ]; then
        echo "submit: nothing is prepared for this Java and Spark, so this is plain spark-submit; run $0 --prepare" >&2
        exec "$SPARK_HOME/bin/spark-submit" "$@"
    fi
    export SPARK_DIST_CLASSPATH=$SPARK_CONF_DIR${SPARK_DIST_CLASSPATH:+:$SPARK_DIST_CLASSPATH} # it comes after the jars
    submit "-XX:SharedArchiveFile=$prepared/classes.jsa -Xshare:auto" "$@"
fi

package=$SPARK_HOME # of pip; elsewhere it lies deeper
[ -f "$package/daemon.py" ] || package=$SPARK_HOME/python/pyspark
mkdir -p "$prepared/spark/python/lib/pyspark.zip"
ln -sfn "$package" "$prepared/spark/python/lib/pyspark.zip/pyspark"
ln -sfn "$SPARK_HOME"/python/lib/py4j-*.zip "$prepared/spark/python/lib/"
for part in "$SPARK_HOME"/*; do [ "${part##*/}" = python ] || ln -sfn "$part" "$prepared/spark/"; done

work=$(mktemp --directory "$prepared/making.XXXXXX")
trap 'rm -rf "$work"' EXIT
"${PYSPARK_DRIVER_PYTHON:-${PYSPARK_PYTHON:-python3}}" "$project/demo/make_input.py" "$work/feedback"
unset HADOOP_CONF_DIR YARN_CONF_DIR SPARK_DIST_CLASSPATH
SPARK_CONF_DIR=$project/conf
(submit "-XX:ArchiveClassesAtExit=$work/classes.jsa -Dlog4j2.configurationFile=$project/conf/log4j2.properties" \
    --master 'local[1]' "$project/jobs/score_feedback.py" --config "$project/conf/demo.toml" --from 2026-10-05 \
    --to 2026-10-18 --set "input.path=$work/feedback" --set "warehouse.root=$work/warehouse") >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; fail "expected the demo to succeed, found the above; nothing is prepared"; }
[ -f "$work/classes.jsa" ] || { tail "$work/log" >&2; fail "expected an archive of Java 17 or newer, found the above"; }
mv -f "$work/classes.jsa" "$prepared/classes.jsa"
stat --format %s "$prepared/classes.jsa" >"$prepared/length"
echo "submit: prepared in $prepared"
