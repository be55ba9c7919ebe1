"""Claim: a sweep goes through a SLURM to its table, whatever happens to a node or a job."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
from made_up_project import copy_project, environment, run_folder, wait_for, write_project
from small_slurm import small_slurm, why_not

from fetal_book.runs.slurm_log import memory_notes
from fetal_lib.training.history import read_history

SWEEP = "chapter: 04\nprofile: smoke\ngrid: {base_filters: [4, 8]}\nseeds: [0, 1]\n"
QUICK = ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"]
NO_ACCOUNTING = ["--slurm-status-command", "squeue", "--slurm-no-account"]
needs_slurm = pytest.mark.skipif(bool(why_not()), reason=f"SLURM: {why_not()}")


def send(project, cluster, log, *more: str) -> subprocess.Popen:
    """Start the sweep on a cluster; what Snakemake says goes to a file."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "workflow/sweep.smk"]
    command += ["--profile", "workflow/profiles/slurm", *NO_ACCOUNTING, *QUICK, *more]
    command += [
        "--config",
        f"sweep={project / 'sweep.yml'}",
        f"out={project / 'out'}",
        "mem_mb=700",
    ]
    named = {name: cluster.environment[name] for name in ("SLURM_CONF", "PATH")}
    with log.open("w") as told:
        return subprocess.Popen(
            command, cwd=project, env=environment(project) | named, stdout=told, stderr=told
        )


def made_up(folder, *cells: str):
    """Write a project whose chapter does what the cells say, and its sweep of four cases."""
    project = write_project(copy_project(folder / "project"), *cells)
    (project / "sweep.yml").write_text(SWEEP)
    return project


@needs_slurm
@pytest.mark.slow
def test_a_sweep_reaches_its_table_though_a_node_dies_midway(tmp_path):
    project = made_up(tmp_path, "import time\ntime.sleep(6)")
    with small_slurm(tmp_path / "cluster") as cluster:
        sending = send(project, cluster, tmp_path / "told.txt")
        wait_for(lambda: "idle" not in cluster.states(), 120, "both nodes work")
        cluster.kill_node("n2")
        assert sending.wait(420) == 0, (tmp_path / "told.txt").read_text()[-3000:]
        placed = cluster.ask("squeue", "--states=all", "-h", "-o", "%i %N").split("\n")
    assert pd.read_csv(project / "out" / "sweep.csv")["n_seeds"].tolist() == [2, 2, 2, 2], placed


@needs_slurm
@pytest.mark.slow
def test_a_case_over_its_memory_is_named_and_gets_more_and_short_ones_share_a_job(tmp_path):
    greedy = "held = b'1' * (1_500_000_000 * (base_filters == 8) * seed)"
    project = made_up(tmp_path, greedy, "import time\ntime.sleep(8)")
    with small_slurm(tmp_path / "cluster") as cluster:
        sending = send(project, cluster, tmp_path / "told.txt", "--group-components", "cases=2")
        code = sending.wait(420)
        jobs = cluster.ask("squeue", "--states=all", "-h", "-o", "%i").split()
    told = (tmp_path / "told.txt").read_text()
    assert code == 0, told[-3000:]
    assert len(jobs) == 3, "two jobs of two cases, one of them sent again"
    assert "stopped by SLURM over its memory" in told


@needs_slurm
@pytest.mark.slow
def test_a_search_draws_on_both_nodes_from_one_study(tmp_path):
    pytest.importorskip("optuna")
    from test_study import FINISH, SEARCH

    project = write_project(copy_project(tmp_path / "project"), finish=FINISH)
    (project / "sweep.yml").write_text(SEARCH.replace("trials: 20", "trials: 6"))
    with small_slurm(tmp_path / "cluster", node_mb=1500) as cluster:  # two cases on each
        sending = send(project, cluster, tmp_path / "told.txt")
        assert sending.wait(800) == 0, (tmp_path / "told.txt").read_text()[-3000:]
        nodes = set(cluster.ask("squeue", "--states=all", "-h", "-o", "%N").split())
    table = pd.read_csv(project / "out" / "sweep.csv")
    assert nodes == {"n1", "n2"} and sorted(table["trial"]) == [f"trial-{n:04d}" for n in range(6)]
    assert len(table.drop_duplicates(["learning_rate", "base_filters", "augment"])) == 6


@needs_slurm
@pytest.mark.slow
def test_a_chapter_trains_on_two_processes_of_a_node_and_a_script_on_two_nodes(tmp_path):
    """By gloo; a chapter's kernel forks its processes, a script has one from SLURM on each node."""
    pytest.importorskip("lightning")
    from test_lightning_devices import FIT, fit_on

    cell = FIT.replace("sys.argv[1]", "str(run.folder / 'fit')").replace("STRATEGY", "auto")
    project = made_up(tmp_path, "import sys\n" + cell)
    script = tmp_path / "train.py"
    script.write_text(fit_on(n_nodes=2))
    (tmp_path / "fit").mkdir()
    on_loopback = {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    with small_slurm(tmp_path / "cluster") as cluster:
        run = ["-n1", "-c2", sys.executable, "-m", "fetal_book", "run", "04", "--profile", "smoke"]
        both = ["-N2", "--ntasks-per-node=1", sys.executable, str(script), str(tmp_path / "fit")]
        for words, more in ((run, {}), (both, on_loopback)):
            known = environment(project) | cluster.environment | more
            done = subprocess.run(
                ["srun", "--mem=3000", *words],
                env=known,
                cwd=project,
                capture_output=True,
                text=True,
                timeout=800,
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "MEMBER: 2/2" in done.stderr + done.stdout
    for folder in (run_folder(project) / "fit", tmp_path / "fit"):
        assert [row["epoch"] for row in read_history(folder)] == [1, 2]


def test_the_logs_of_slurm_tell_who_was_stopped_over_its_memory(tmp_path):
    for case, text in {
        "a": "slurmstepd: error: Detected 1 oom_kill event",
        "b": "cancelled",
    }.items():
        (tmp_path / "rule_case" / case).mkdir(parents=True)
        log = f"    wildcards: case={case}\n{text}\n"
        (tmp_path / "rule_case" / case / "7.log").write_text(log)
    assert memory_notes(tmp_path) == ["a: stopped by SLURM over its memory; a retry asks for more"]
