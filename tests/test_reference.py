"""Reference runs: older code is told, one command makes them anew, and no new picture slips in."""

import json

import pytest
from made_up_project import CHAPTER, call_cli, content, copy_project, write_project

PUBLISHED = f"book/published/{CHAPTER}/kept"
TABLE = "import pandas as pd\nrun.save_table(pd.DataFrame({'a': [1.5]}), 'results', 'All models.')"
FIGURE = (
    "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([1, 2])\n"
    "run.save_figure(figure, 'faces', 'Faces.', 'Two faces.')"
)


def told(root):
    """Return what status says of the reference runs, by name."""
    code, output, errors = call_cli(root, "status", "--json")
    assert code == 0, errors
    return {one["name"]: one["older_because"] for one in json.loads(output)["reference"]}


@pytest.mark.slow
def test_a_run_of_older_code_is_made_anew_without_its_new_figures_and_then_stands(tmp_path):
    root = write_project(copy_project(tmp_path / "project"), TABLE)
    code, _, errors = call_cli(root, "run", CHAPTER, "--profile", "smoke", "-p", "seed=3")
    assert code == 0, errors
    run = f"runs/{CHAPTER}/smoke-phantom"
    assert call_cli(root, "book", "publish", run, "kept")[0] == 0
    assert told(root) == {"kept": []}
    code, output, _ = call_cli(root, "book", "reference", "--data-root", ".")
    assert (code, output) == (0, f"{CHAPTER}/kept: stands\n")

    write_project(root, TABLE, FIGURE)
    assert told(root) == {"kept": ["the notebook changed"]}
    before = content(root / PUBLISHED)
    code, output, _ = call_cli(root, "book", "reference", "--data-root", ".", "--dry-run")
    command = f"fetal-lib run {CHAPTER} --profile smoke -p seed=3"
    assert (code, output) == (0, f"{CHAPTER}/kept: {command}\n")
    assert content(root / PUBLISHED) == before

    code, output, errors = call_cli(root, "book", "reference", "--data-root", ".")
    assert code == 0, output + errors
    assert "published as kept, without faces" in output + errors
    assert told(root) == {"kept": []}
    after = content(root / PUBLISHED)
    assert not [name for name in after if "faces" in name]
    assert after["record.json"] != before["record.json"] and before.keys() <= after.keys()
