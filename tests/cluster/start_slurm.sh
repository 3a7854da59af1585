#!/bin/bash
# Starts a SLURM of one machine, for tests: munge, a controller, and nodes that are daemons of this machine.
#   usage: start_slurm.sh DIRECTORY [NODES [CPUS PER NODE]]
#   then:  export SLURM_CONF=DIRECTORY/slurm.conf; stop_slurm.sh DIRECTORY ends it.
# Needs Debian's slurm-wlm and munge, no root, no systemd. Listens on the loopback alone. Where control groups (version 1) can
# be made, jobs have no more memory than they ask for. Each node has two devices that are no GPUs, for SLURM to deal out.
set -euo pipefail

directory=$(realpath -m "${1:?a directory}") nodes=${2:-2} cpus=${3:-2}
user=$(id -un) host=$(hostname -s) port=${SLURM_TEST_PORT:-16817}

limits=none
if mkdir "/sys/fs/cgroup/memory/omnibench-$$" 2>/dev/null; then
  rmdir "/sys/fs/cgroup/memory/omnibench-$$"
  limits=cgroup
fi

rm -rf "$directory"
mkdir -p "$directory"/{state,spool,log,munge}
chmod 755 "$directory" "$directory/munge"
(umask 077; head -c 128 /dev/urandom > "$directory/munge/munge.key")

{
  cat <<CONF
ClusterName=omnibench
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$directory/munge/munge.sock
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/$limits
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SwitchType=switch/none
MpiDefault=none
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
ReturnToService=2
KillWait=2
SlurmctldPidFile=$directory/slurmctld.pid
StateSaveLocation=$directory/state
SlurmctldLogFile=$directory/log/slurmctld.log
SlurmdPidFile=$directory/slurmd-%n.pid
SlurmdSpoolDir=$directory/spool/%n
SlurmdLogFile=$directory/log/slurmd-%n.log
SlurmdParameters=config_overrides
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
CONF
  for node in $(seq "$nodes"); do
    echo "NodeName=n$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + node)) CPUs=$cpus RealMemory=8000 Gres=gpu:2 State=UNKNOWN"
  done
  echo "PartitionName=debug Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=CANCEL"
  echo "PartitionName=urgent Nodes=n[1-$nodes] MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF"
} > "$directory/slurm.conf"
printf 'Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n' > "$directory/gres.conf"
printf 'CgroupMountpoint=/sys/fs/cgroup\nCgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\nConstrainSwapSpace=no\n' > "$directory/cgroup.conf"
export SLURM_CONF=$directory/slurm.conf

munged --force --num-threads=2 --key-file="$directory/munge/munge.key" --socket="$directory/munge/munge.sock" \
  --pid-file="$directory/munge/munged.pid" --log-file="$directory/log/munged.log" --seed-file="$directory/munge/munged.seed"
slurmctld
for node in $(seq "$nodes"); do
  mkdir -p "$directory/spool/n$node"
  slurmd -N "n$node"
done
SECONDS=0
while [ "$SECONDS" -lt 40 ]; do
  [ "$(timeout 5 sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l)" = "$nodes" ] && exit 0
  sleep 0.1
done
echo "the nodes did not become idle; see $directory/log" >&2
exit 1
