"""A SLURM of one machine: controller and two nodes on loopback, for as long as a test lasts.

As a command it holds one up until it is interrupted, and prints what to set:
``python tests/small_slurm.py FOLDER``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")
NODES = ("n1", "n2")
START_LIMIT_S = 30
CONFIG = """\
ClusterName=small
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthInfo=socket={folder}/munge/munge.sock
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
MinJobAge=600
DefMemPerCPU=500
SlurmdTimeout=15
KillWait=5
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
NodeName=n1 NodeHostName={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory={mb}
NodeName=n2 NodeHostName={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 RealMemory={mb}
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Return why no SLURM can be started here; empty where it can."""
    missing = [name for name in PROGRAMS if program(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "the daemons are started by root"


def program(name: str) -> str | None:
    """Return the path of a program; daemons are on no ordinary user's path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@contextmanager
def small_slurm(folder: Path, node_mb: int = 8000) -> Iterator[SmallSlurm]:
    """Start a cluster of two nodes in a folder; stop it, and every job, in the end."""
    cluster = SmallSlurm(folder.resolve(), node_mb)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


class SmallSlurm:
    """A controller, two nodes and their key, each a process of its own in one folder.

    Attributes
    ----------
    environment : dict
        What programs need besides their own: where the configuration lies.
    """

    def __init__(self, folder: Path, node_mb: int) -> None:
        self.folder = folder
        self.config = folder / "slurm.conf"
        wrapped = folder / "bin"  # a job's own srun is started without this variable
        self.environment = os.environ | {
            "SLURM_CONF": str(self.config),
            "PATH": f"{wrapped}:{os.environ.get('PATH', '')}",
        }
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "state").mkdir(parents=True)
        wrapped.mkdir()
        (wrapped / "srun").write_text(
            f'#!/bin/sh\nSLURM_CONF={self.config} exec {program("srun")} "$@"\n'
        )
        (wrapped / "srun").chmod(0o755)
        self.config.write_text(
            CONFIG.format(
                host=socket.gethostname().split(".")[0],
                folder=folder,
                user=pwd.getpwuid(os.geteuid()).pw_name,
                ports=free_ports(3),
                mb=node_mb,
            )
        )

    def start(self) -> None:
        """Start key, controller and nodes, in that order; wait until the nodes are idle."""
        munge = self.folder / "munge"
        munge.mkdir(mode=0o755)
        key = munge / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        parts = {"key": "munge.key", "socket": "munge.sock", "pid": "munge.pid"}
        flags = [
            f"--{name}-file={munge / file}" for name, file in parts.items() if name != "socket"
        ]
        flags += [f"--socket={munge / 'munge.sock'}", f"--log-file={munge / 'munge.log'}"]
        flags += [f"--seed-file={munge / 'munge.seed'}"]
        self._run("munged", "--force", "--foreground", *flags)
        self._wait(lambda: (munge / "munge.sock").exists(), "munged")
        self._run("slurmctld", "-D", "-f", str(self.config))
        for node in NODES:
            self.start_node(node)
        self._wait(lambda: self.states().count("idle") == len(NODES), "the nodes")

    def start_node(self, name: str) -> None:
        """Start a node, also again after it was killed."""
        (self.folder / f"spool-{name}").mkdir(exist_ok=True)
        self._run("slurmd", "-D", "-N", name, "-f", str(self.config), called=name)

    def kill_node(self, name: str) -> None:
        """Kill a node and the jobs on it, as a power cut would."""
        daemon = self._daemons.pop(name)
        daemon.kill()
        daemon.wait()
        self._kill_jobs(name)

    def states(self) -> list[str]:
        """Return the state of each node, such as ``idle``, ``alloc`` or ``down``."""
        told = self.ask("sinfo", "-h", "-N", "-o", "%T").split()
        return [state.rstrip("*") for state in told]

    def ask(self, *words: str) -> str:
        """Return what a program of SLURM prints."""
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout

    def stop(self) -> None:
        """Cancel all jobs, stop the daemons."""
        self.ask("scancel", "--user", "root")
        for name in NODES:
            self._kill_jobs(name)
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
        self._daemons.clear()

    def _run(self, name: str, *words: str, called: str = "") -> None:
        log = (self.folder / f"{called or name}.out").open("ab")
        self._daemons[called or name] = subprocess.Popen(
            [program(name), *words], env=self.environment, stdout=log, stderr=log
        )

    def _wait(self, ready, what: str) -> None:
        until = time.monotonic() + START_LIMIT_S
        while not ready():
            if time.monotonic() > until:
                logs = "\n".join(
                    f"{path.name}: {path.read_text(errors='replace')[-600:]}"
                    for path in sorted(self.folder.glob("*.out"))
                )
                raise TimeoutError(f"{what} did not come up in {START_LIMIT_S} s:\n{logs}")
            time.sleep(0.2)

    def _kill_jobs(self, node: str) -> None:
        """Kill what runs on a node: its scripts lie in the node's own folder."""
        spool = str(self.folder / f"spool-{node}")
        family: list[psutil.Process] = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if any(spool in word for word in process.cmdline()):
                    family += [*process.parents()[:1], process, *process.children(recursive=True)]
        for process in family:
            with suppress(psutil.Error):
                if process.pid != os.getpid() and process.pid > 1:
                    process.kill()


def free_ports(n: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    with small_slurm(Path(sys.argv[1])) as held:
        print(f"export SLURM_CONF={held.config}", flush=True)
        signal.pause()
