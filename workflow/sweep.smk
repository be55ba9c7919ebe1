# One sweep: its cases as jobs, then one table. `fetal-lib sweep FILE` starts it; on a cluster:
#   snakemake --snakefile workflow/sweep.smk --profile workflow/profiles/slurm --config sweep=FILE out=FOLDER

import shlex
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

sys.path.insert(0, str(Path(workflow.basedir).parent.resolve()))

from fetal_book.runs.slurm_log import memory_notes
from fetal_book.runs.sweep import read_sweep
from fetal_book.runs.sweep_state import note_sweep

FILE = config["sweep"]
OUT = config["out"]
SWEEP = read_sweep(FILE)
CASES = {case.name: case for case in SWEEP.cases()}
DONE = f"{OUT}/.done"
FETAL_LIB = f"{shlex.quote(sys.executable)} -m fetal_book"


def command(case):
    """Return what runs a case: with the parameters of the grid, or those that a search draws."""
    if SWEEP.search:
        return f"sweep {shlex.quote(FILE)} --out {shlex.quote(OUT)} --trial {case}"
    known, place = CASES[case].arguments(), shlex.quote(f"{OUT}/{case}")
    return f"run {SWEEP.chapter} --profile {SWEEP.profile} {known} --if-needed --out {place}"


onstart:
    note_sweep(SWEEP, Path(OUT))


def say_memory():
    print(*memory_notes(Path(".snakemake/slurm_logs")), sep="\n", file=sys.stderr)


onsuccess:
    say_memory()


onerror:
    say_memory()


localrules:
    all,
    table,


rule all:
    input:
        f"{OUT}/sweep.csv",


rule case:
    output:
        f"{DONE}/{{case}}",
    log:
        f"{DONE}/{{case}}.log",
    params:
        command=lambda wildcards: command(wildcards.case),
        done=shlex.quote(DONE),
        cases=len(CASES),
    group:
        "cases"  # short jobs share one: --group-components cases=8
    threads: 2
    resources:
        gpu=min(int(config.get("gpu", 0)), 1),
        mem_mb=lambda wildcards, attempt: int(config.get("mem_mb", 8000)) * attempt,
        runtime=720,
    shell:
        "begun=$SECONDS; "
        "{FETAL_LIB} {params.command} > {log:q} 2>&1 || {{ "
        "echo {wildcards.case} failed after $((SECONDS - begun)) s: $(grep ^fetal-lib {log:q} | tail -n 1); "
        "exit 1; }}; touch {output:q}; "
        "echo $(find {params.done} -type f ! -name '*.log' | wc -l)/{params.cases} "
        "{wildcards.case}, $((SECONDS - begun)) s"


rule table:
    input:
        expand(f"{DONE}/{{case}}", case=CASES),
    output:
        f"{OUT}/sweep.csv",
    params:
        file=shlex.quote(FILE),
        out=shlex.quote(OUT),
    shell:
        "{FETAL_LIB} sweep {params.file} --out {params.out} --collect"
