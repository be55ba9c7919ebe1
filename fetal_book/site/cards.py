"""Write model cards: what the runs measured, beside what a person wrote in `book/cards.yml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fetal_book.parameters.project_files import code_root, listed
from fetal_book.runs.results import results_table
from fetal_book.site.entries import Entry, read_entries
from fetal_book.site.markdown import short, table
from fetal_book.site.results_page import SPLIT_WORDS, split_table
from fetal_book.site.shown_runs import ShownRun, data_text, figure_text, shown_runs, table_rows
from fetal_lib.files.atomic import read_json, write_text
from fetal_lib.files.fingerprint import file_sha256
from fetal_lib.predict.contract import NAME as CONTRACT

CARDS_FILE = "cards.yml"
SCORED = ("test", "external")
WEIGHTS = (".onnx", ".npz")
"""Files that hold numbers which a shipped model has learnt."""
PAGES = (
    "model_cards",
    "data_sheets",
    "phantom_sheets",
    "own_layouts",
    "claim",
    "tripod_ai",
    "predict_columns",
)
"""Files below ``book/generated`` that ``fetal-lib book cards`` writes, without suffix."""


class ModelText(Entry):
    """Hold what a person says of a model.

    Attributes
    ----------
    shipped : folder in ``fetal_lib/pretrained``, empty where none is shipped.
    made_by : reference run that made the shipped model; empty where a command of its own did, whose
        scores stand in the model's card.md.
    scored_as : its name in results.json; ``{network}`` is read from its model.json. Empty with an
        empty ``made_by``.
    subgroups : table of a run with scores of subgroups, empty where there is none.
    figure : figure of a run that shows how it fails, empty where there is none.
    command : of ``fetal-lib`` that applies it, empty where there is none.
    parts : models of a chapter's runs that are this one or parts of it: what each learnt from,
        which is nothing of the run.
    elsewhere : why no real set is left that it did not learn from; empty where one was scored.
    """

    name: str
    title: str
    chapter: str
    shipped: str = ""
    made_by: str = ""
    scored_as: str = ""
    subgroups: str = ""
    figure: str = ""
    command: str
    intended: str
    not_seen: str
    limits: list[str]
    fails: list[str]
    parts: dict[str, str] = {}
    elsewhere: str = ""


class PhantomText(Entry):
    """Hold what a person says of a kind of phantoms.

    Attributes
    ----------
    count : name of the chapters' parameter that says how many are drawn.
    free_of_label : what varies without knowing the label.
    """

    name: str
    title: str
    chapters: list[str]
    count: str
    truth: str
    drawn_from: str
    free_of_label: str
    known_problems: list[str]


class Cards(Entry):
    """Hold all of ``book/cards.yml``."""

    models: list[ModelText] = []
    phantoms: list[PhantomText] = []


def sources(root: Path) -> list[str]:
    """List what the cards, sheets and checklists are made of, but for the runs."""
    found = [root / "book" / CARDS_FILE, *(root / "book" / "checklists").glob("*.yml")]
    found += (root / "data_manifests").glob("*.yml")
    code = code_root(root)
    found += (code / "fetal_lib" / "pretrained").rglob("*.json")
    found += (code / "fetal_lib" / "pretrained").rglob("card.md")
    found += (code / "fetal_book" / "parameters").rglob("*.yml")
    found.append(code / "fetal_lib" / "predict" / "columns.py")
    found += (code / "fetal_lib" / "pretrained").rglob("external.csv")
    return listed((path for path in found if path.is_file()), root)


def read_cards(book: Path) -> Cards:
    """Read ``cards.yml``; without that file there are no cards."""
    return read_entries(book / CARDS_FILE, Cards)


def write_model_cards(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/model_cards.md``."""
    runs = shown_runs(root, chapters)
    sections = [model_section(root, text, runs) for text in read_cards(root / "book").models]
    write_text(root / "book" / "generated" / "model_cards.md", "\n".join(sections) or "None.\n")


def model_section(root: Path, text: ModelText, runs: list[ShownRun]) -> str:
    """Write a model: its cards, shipped and of the chapter's run, then what a person says of it."""
    own = [run for run in runs if run.chapter == text.chapter]
    parts = [f"## {text.title}\n", f"Intended use\n: {text.intended}\n"]
    if text.command:
        parts.append(f"Used by\n: `fetal-lib {text.command}`, see [](../howto/predict.md)\n")
    parts += [f"What it has not seen\n: {text.not_seen}\n"]
    parts += [_listed("Limits", text.limits), _listed("How it fails", text.fails)]
    shipped = shipped_folder(root, text)
    if text.shipped and not text.made_by:
        return "\n".join([*parts, own_card(text, shipped)])
    found = [(shipped, run) for run in own if run.name == text.made_by]
    found += [(run.folder / "model", run) for run in own if not run.kept]
    cards = [card(text, folder, run) for folder, run in found if (folder / "model.json").is_file()]
    return "\n".join([*parts, *(cards or ["No run in this book has saved this model yet.\n"])])


def shipped_folder(root: Path, text: ModelText) -> Path:
    """Return where a shipped model lies, whether it does or not."""
    return code_root(root) / "fetal_lib" / "pretrained" / (text.shipped or "none")


def card(text: ModelText, folder: Path, run: ShownRun) -> str:
    """Write the card of one saved model."""
    spec = read_json(folder / "model.json") or {}
    shipped = not folder.is_relative_to(run.folder)
    title = "the model that is shipped" if shipped else "the model of the chapter's run"
    facts = {"Made by": run.link, "Learnt from": f"`{spec.get('trained_on', run.data)}`"}
    parts = [f"### {text.title}: {title}\n", facts_table(facts, spec, folder if shipped else None)]
    parts += scores(text.scored_as.format_map(_Named(spec)), run)
    parts += [subgroup_table(text.subgroups, run), failures(text, run)]
    return "\n".join(part for part in parts if part)


def own_card(text: ModelText, folder: Path) -> str:
    """Write the card of a shipped model that no run of a chapter made, with its own card.md."""
    spec = read_json(folder / "model.json")
    if spec is None:
        return "This model is not shipped yet.\n"
    facts = {"Learnt from": spec.get("trained_on", "unknown")}
    told = (folder / "card.md").read_text(encoding="utf-8").partition("\n")[2].strip()
    return "\n".join([facts_table(facts, spec, folder), told]) + "\n"


def facts_table(facts: dict[str, str], spec: dict[str, Any], shipped: Path | None) -> str:
    """Write facts of a model, the sum of the weights in a shipped folder, and, folded, settings."""
    rows = dict(facts)
    if shipped is not None:
        rows["Weights"] = "<br>".join(
            f"`{path.name}`: {path.stat().st_size:,} bytes, SHA-256 `{file_sha256(path)}`"
            for path in sorted(shipped.iterdir())
            if path.suffix in WEIGHTS
        )
        newest = (read_json(shipped / CONTRACT) or {}).get("changes", [])[:1]
        for change in newest:
            rows["Version"] = f"{change['version']}, {change['date']}. {change['what']}"
    settings = [
        (f"`{name}`", setting)
        for name, value in spec.items()
        if name != "trained_on" and (setting := setting_text(value))
    ]
    written = table(["Setting", "Value"], settings)
    folded = f"````{{dropdown}} Settings, {len(settings)}\n{written}````\n" if settings else ""
    return f"{table(['', ''], list(rows.items()))}\n{folded}"


class _Named(dict):
    def __missing__(self, key: str) -> str:
        return key


def setting_text(value: Any) -> str:
    """Write a setting of a model; empty for what is too long or not a plain value.

    Examples
    --------
    >>> setting_text(0.031863), setting_text(["none", "up_down"]), setting_text({"a": 1})
    ('0.0319', 'none, up_down', '')
    """
    if isinstance(value, bool) or value is None:
        return "no" if not value else "yes"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(setting_text, value)) if len(value) <= 16 else f"{len(value)} values"
    return ""


def scores(model: str, run: ShownRun) -> list[str]:
    """Write the model's results, a table for each split and data set."""
    found = results_table([run.folder])
    parts = []
    for split in SCORED:
        rows = found[(found["model"] == model) & (found["split"] == split)]
        for _, group in rows.groupby("data", sort=True):
            name = data_text(group.iloc[0], run, mark="")
            parts.append(f"{SPLIT_WORDS[split]}: {name}\n\n{split_table(group)}")
    return parts


def subgroup_table(name: str, run: ShownRun) -> str:
    """Write a run's table of subgroups, numbers shortened; empty where it has none."""
    rows = table_rows(run.folder, name)
    if not rows:
        return ""
    index = read_json(run.folder / "tables" / "index.json") or {}
    cells = [[short(cell) for cell in row.values()] for row in rows]
    return f"{index.get(name, {}).get('caption', name)}\n\n{table(list(rows[0]), cells)}"


def failures(text: ModelText, run: ShownRun) -> str:
    """Write the figure that shows how a model fails; empty where the run has none."""
    label = f"fig-card-{text.name.replace('_', '-')}-{'kept' if run.kept else 'shown'}"
    return figure_text(run, text.figure, label, to_root="../")


def _listed(name: str, sentences: list[str]) -> str:
    lines = [f"  - {sentence}" for sentence in sentences]
    return "\n".join([name, f": {lines[0].strip()}", *lines[1:]]) + "\n"
