# The reference runs anew, each by the command of its own record, then in the place of the kept one.
# `fetal-lib book reference --data-root FOLDER` starts it; a stopped one goes on where it was.

import shlex
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

sys.path.insert(0, str(Path(workflow.basedir).parent.resolve()))

from fetal_book.runs.reference import reference_runs

OUT = config["out"]
WANTED = config["runs"].split(",")
RUNS = {f"{one.chapter}.{one.name}": one for one in reference_runs()}
FETAL_LIB = f"{shlex.quote(sys.executable)} -m fetal_book"


localrules:
    all,


rule all:
    input:
        expand(f"{OUT}/.done/{{run}}", run=WANTED),


rule reference:
    output:
        f"{OUT}/.done/{{run}}",
    log:
        f"{OUT}/.done/{{run}}.log",
    params:
        command=lambda wildcards: RUNS[wildcards.run].command.removeprefix("fetal-lib "),
        name=lambda wildcards: RUNS[wildcards.run].name,
        folder=lambda wildcards: shlex.quote(f"{OUT}/{wildcards.run}"),
    threads: 2
    resources:
        gpu=min(int(config.get("gpu", 0)), 1),
        mem_mb=8000,
        runtime=720,
    shell:
        "{FETAL_LIB} {params.command} --if-needed --out {params.folder} > {log:q} 2>&1 || {{ "
        "echo {wildcards.run} failed: $(grep ^fetal-lib {log:q} | tail -n 1); exit 1; }}; "
        "{FETAL_LIB} book publish {params.folder} {params.name} --as-before; touch {output:q}"
