# One sweep: its cases as jobs, then one table. `fetal-lib sweep FILE` starts it; on a cluster:
#   snakemake --snakefile workflow/sweep.smk --profile workflow/profiles/slurm --config sweep=FILE out=FOLDER

import shlex
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

sys.path.insert(0, str(Path(workflow.basedir).parent.resolve()))

from fetal_book.runs.sweep import read_sweep

FILE = config["sweep"]
OUT = config["out"]
SWEEP = read_sweep(FILE)
CASES = {case.name: case for case in SWEEP.cases()}
FETAL_LIB = f"{shlex.quote(sys.executable)} -m fetal_book"


localrules:
    all,
    table,


rule all:
    input:
        f"{OUT}/sweep.csv",


rule case:
    output:
        f"{OUT}/.done/{{case}}",
    log:
        f"{OUT}/.done/{{case}}.log",
    params:
        chapter=SWEEP.chapter,
        profile=SWEEP.profile,
        values=lambda wildcards: CASES[wildcards.case].arguments(),
        out=lambda wildcards: shlex.quote(f"{OUT}/{wildcards.case}"),
    threads: 2
    resources:
        gpu=min(int(config.get("gpu", 0)), 1),
        mem_mb=8000,
        runtime=720,
    shell:
        "{FETAL_LIB} run {params.chapter} --profile {params.profile} {params.values} "
        "--if-needed --out {params.out} > {log:q} 2>&1 && touch {output:q}"


rule table:
    input:
        expand(f"{OUT}/.done/{{case}}", case=CASES),
    output:
        f"{OUT}/sweep.csv",
    params:
        file=shlex.quote(FILE),
        out=shlex.quote(OUT),
    shell:
        "{FETAL_LIB} sweep {params.file} --out {params.out} --collect"
