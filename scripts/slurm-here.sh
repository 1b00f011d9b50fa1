#!/usr/bin/env bash
# A Slurm cluster of one node on this machine, for tests and for trying things out. Nothing outside its folder is touched.
#   scripts/slurm-here.sh start FOLDER [CORES] [MEGABYTES]   prints the folder's slurm.conf; use it as SLURM_CONF
#   scripts/slurm-here.sh node FOLDER start|kill             the node alone: comes (back), or disappears
#   scripts/slurm-here.sh stop FOLDER                        ends its processes, by their ids
# Needs Debian's packages slurm-wlm and munge. Exit code 3: they are not here.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
usage() { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
what=$1 folder=$2
for program in slurmctld slurmd munged sbatch; do
  command -v "$program" >/dev/null || { echo "there is no $program here: apt-get install slurm-wlm munge" >&2; exit 3; }
done

# A port that nobody listens on.
free_port() {
  node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'
}
# A process is ended by the id in its file, and only while it is the program that wrote it.
end() {
  local pid
  pid=$(cat "$folder/$1.pid" 2>/dev/null) || return 0
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ]; then kill "-$2" "$pid" 2>/dev/null || true; fi
  for _ in $(seq 100); do [ -d "/proc/$pid" ] && [ "$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null)" != Z ] || break; sleep 0.05; done
  rm -f "$folder/$1.pid"
}
background() { # NAME COMMAND...
  local name=$1
  shift
  setsid "$@" >>"$folder/$name.out" 2>&1 </dev/null &
  echo $! >"$folder/$name.pid"
}
start_node() { background slurmd slurmd -D -f "$folder/slurm.conf" -N here; }
answers() {
  for _ in $(seq 200); do
    sinfo --noheader --format=%T 2>/dev/null | grep -qE "$1" && return 0
    sleep 0.1
  done
  echo "the cluster does not come up; see $folder/*.out" >&2
  tail -n 3 "$folder"/*.out >&2
  return 1
}

case $what in
start)
  mkdir -p "$folder"
  folder=$(cd "$folder" && pwd)
  cores=${3:-$(nproc)} memory=${4:-$(($(awk '/MemTotal/{print $2}' /proc/meminfo) / 1024))}
  mkdir -p "$folder"/{munge,state,spool}
  chmod 755 "$folder" "$folder/munge"
  (umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key")
  user=$(id -un)
  cat >"$folder/slurm.conf" <<CONF
ClusterName=here
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
JobRequeue=1
KillWait=5
MinJobAge=300
ReturnToService=2
SlurmdTimeout=20
MpiDefault=none
SwitchType=switch/none
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/state/slurmctld.pid
SlurmdPidFile=$folder/state/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
NodeName=here NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$memory State=UNKNOWN
PartitionName=all Nodes=here Default=YES MaxTime=INFINITE State=UP
CONF
  export SLURM_CONF=$folder/slurm.conf
  background munged munged --foreground --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
    --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" --num-threads=2
  for _ in $(seq 100); do [ -S "$folder/munge/socket" ] && break; sleep 0.05; done
  [ -S "$folder/munge/socket" ] || { cat "$folder/munged.out" >&2; end munged TERM; exit 1; }
  background slurmctld slurmctld -D -i -f "$folder/slurm.conf"
  start_node
  answers '^(idle|mixed|allocated)'
  echo "$folder/slurm.conf"
  ;;
node)
  folder=$(cd "$folder" && pwd)
  case ${3:-} in
  start) start_node ;;
  kill) end slurmd KILL ;;
  *) usage ;;
  esac
  ;;
stop)
  [ -d "$folder" ] || exit 0
  folder=$(cd "$folder" && pwd)
  end slurmd TERM
  end slurmctld TERM
  end munged TERM
  ;;
*) usage ;;
esac
