#!/bin/bash
# Ends what start_slurm.sh has started in a directory.
directory=${1:?a directory}
export SLURM_CONF=$directory/slurm.conf
scancel --user="$(id -un)" 2>/dev/null
for file in "$directory"/slurmd-*.pid "$directory/slurmctld.pid" "$directory/munge/munged.pid"; do
  [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null
done
exit 0
