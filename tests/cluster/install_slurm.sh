#!/bin/bash
# Installs Debian's SLURM for tests, unless it is there. Where it cannot, it says why, and the tests skip themselves.
set -u
for program in munged slurmctld slurmd sinfo; do
  command -v "$program" > /dev/null || missing=$program
done
[ -z "${missing:-}" ] && exit 0
if ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
  echo "no SLURM is installed, which needs root and apt-get: its tests are skipped"
  exit 0
fi
if ! { timeout 120 apt-get update -q && timeout 300 apt-get install -q -y --no-install-recommends slurm-wlm munge iproute2; } > /dev/null 2>&1; then
  echo "apt-get does not find slurm-wlm and munge: the tests of SLURM are skipped"
fi
