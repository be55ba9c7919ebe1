"""A chapter's notebook by itself: readable wherever it is opened, and free of warnings."""

from __future__ import annotations

import json
import re

import pytest
from chapter_checks import RAW, ROOT, said
from made_up_project import CHAPTER, work_in, write_project

from fetal_book.runs.execute import run_chapter
from fetal_book.runs.text_only import site_notebook

WARNS = """\
import os, sys, warnings, logging
import pandas as pd
from IPython.display import Markdown, display
os.write(2, b"compiled code speaks")
warnings.warn("look out")
logging.getLogger("tensorflow").warning("retracing")
print("by hand", file=sys.stderr)
display(Markdown(run.banner()))
run.save_table(pd.DataFrame({"a": [1]}), "sizes", "Sizes in mm.")
pd.DataFrame({"a": [1]})"""
SAYS = "# %% [markdown]\n# See {numref}`tab-04-sizes` and {cite:t}`sarris2012`.\n\n"


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebook_of_a_chapter_is_plain_markdown_with_numbers_captions_and_references(path):
    texts = said(json.loads(path.read_text("utf-8")))
    assert [text for text in texts if RAW.search(text)] == []
    assert not any(re.search(r"\b(tab|fig)-\d\d-", text) for text in texts)
    whole = "\n".join(texts)
    captions = re.findall(r"^\*\*((?:Table|Figure) \d+)\.\*\* \S", whole, re.MULTILINE)
    assert len(captions) == len(set(captions)) > 20
    assert set(re.findall(r"(?:Table|Figure) \d+", whole)) == set(captions)
    assert texts[-1].startswith("## References\n\n- **")


@pytest.mark.slow
def test_executed_notebook_is_plain_and_its_warnings_stand_in_the_log(tmp_path, monkeypatch):
    root = work_in(write_project(tmp_path, WARNS), monkeypatch)
    path = root / "notebooks" / f"{CHAPTER}.py"
    path.write_text(path.read_text().replace("# %%\n" + WARNS, SAYS + "# %%\n" + WARNS))
    (root / "book").mkdir()
    (root / "book" / "references.bib").write_bytes((ROOT / "book" / "references.bib").read_bytes())
    folder = run_chapter("04", "smoke").folder
    notebook = json.loads((folder / "executed.ipynb").read_text("utf-8"))
    texts = said(notebook)
    assert [text for text in texts if RAW.search(text)] == []
    assert "See Table 1 and [Sarris et al. (2012)](https://doi.org/10.1002/uog.10082)." in texts
    assert texts.index("**Table 1.** Sizes in mm.") and "> **Made-up data.**" in "\n".join(texts)
    streams = [o.get("name") for cell in notebook["cells"] for o in cell.get("outputs", [])]
    assert "stderr" not in streams and not any("retracing" in text for text in texts)
    log = (folder / "logs" / "warnings.log").read_text()
    for warning in ("compiled code speaks", "look out", "retracing", "by hand"):
        assert warning in log
    for_the_site = ["".join(cell["source"]) for cell in site_notebook(folder)["cells"]]
    assert "See {numref}`tab-04-sizes` and {cite:t}`sarris2012`." in for_the_site
    assert not any(text.startswith("**Table") for text in for_the_site)
