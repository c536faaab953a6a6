#!/usr/bin/env bash
# Print a folder in memory for the files of tests, which wait for a disk longer than they compute; nothing where there is
# no room for them (they took 50 MB at once), or where no script in it may be run.
set -euo pipefail

grep -q ' /dev/shm [^ ]* [^ ]*noexec' /proc/mounts && exit
for room in "$(awk '/^MemAvailable/ {print $2}' /proc/meminfo)" "$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)"; do
    [ "${room:-0}" -gt 2000000 ] || exit 0 # KiB
done
echo /dev/shm
