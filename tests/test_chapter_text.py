"""What the text of no chapter may hold: results typed by hand, cells too large to read."""

import pytest
from chapter_checks import RESULT, ROOT, oversized_cells, typed_results

NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.py"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_result_is_typed_by_hand(notebook):
    """A result-like number stands only beside a citation or in a quotation of the source."""
    assert typed_results(notebook) == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_code_cells_are_short_enough_to_read(notebook):
    assert oversized_cells(notebook) == []


@pytest.mark.parametrize(
    "text",
    ["The Dice is 0.97.", "an error of 2.1 mm", "macro-F1 was 0.8", "3.4 years", "within 91.5 %"],
)
def test_the_pattern_would_find_a_typed_result(text):
    assert RESULT.search(text)


def test_the_checks_find_a_bad_notebook(tmp_path):
    notebook = tmp_path / "00_bad.py"
    long, wide = "x = 1\n" * 26, "y = " + "1 + " * 20 + "1\n"
    notebook.write_text(
        f"# %% [markdown]\n# The MAE is 2.1 days.\n\n# %%\n{long}\n# %%\n{wide}\n"
        f'# %% tags=["parameters"]\n{wide}\n# %% [markdown]\n# MAE 2.1 days {{cite}}`a`\n'
    )
    assert len(typed_results(notebook)) == 1
    assert oversized_cells(notebook) == ["\n" + long + "\n", "\n" + wide + "\n"]
