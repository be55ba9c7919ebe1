"""Every command that pages, chapters, manifests and messages print is taken by the command line."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from fetal_book.cli import app
from fetal_book.cli.phantoms import KINDS
from fetal_book.parameters.base import PROFILES
from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.parse import parse_assignments, parse_value
from fetal_lib.data.catalogue import manifest_names
from fetal_lib.data.layouts.registry import LAYOUTS

PROJECT = Path(__file__).resolve().parents[1]
MADE = {"_build", "generated", "notebooks", "runs", "published"}
ROOT = typer.main.get_command(app)
PLACEHOLDER = re.compile(r"[A-Z_/]+")
FURTHER = "06"  # the chapter that a page adds


def printed():
    """Yield file and command; one in running text may stop before its arguments."""
    pages = [p for p in (PROJECT / "book").rglob("*.md") if not MADE & set(p.parts)]
    texts = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *pages]
    for folder in ("notebooks", "fetal_lib", "fetal_book", "data_manifests", "workflow"):
        texts += [p for p in (PROJECT / folder).rglob("*.*") if p.suffix in (".py", ".yml")]
    for path in sorted(texts):
        text = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
        own = re.findall(r"^(?:\.venv/bin/)?((?:fetal-lib |papermill notebooks/).*)$", text, re.M)
        own += re.findall(r": (fetal-lib [^\n`]+)\"$", text, re.M)
        spans = re.findall(r"`((?:fetal-lib |papermill notebooks/)[^`]+)`", text)
        for line in own + [" ".join(span.split()) for span in spans]:
            if not set(line) & set('…{"'):  # left open, or put together from parts
                words = shlex.split(line, comments=True)
                end = next((i for i, word in enumerate(words) if word in (">", "|")), None)
                id = f"{path.name}: {line}"
                yield pytest.param(words[:end], line in own, id=id)


def parsed(words, whole):
    """Return the options and arguments as the real parser reads them; {} of a bare name."""
    command, rest, parent = ROOT, words[1:], None
    while True:
        if not rest and not whole:
            return {}
        context = command.make_context(words[0], list(rest), parent=parent)
        if not hasattr(command, "resolve_command"):
            assert not context.args, f"left over: {context.args}"
            return context.params
        left = [*context._protected_args, *context.args]
        _, command, rest = command.resolve_command(context, left)
        parent = context


def check_values(values):
    """Check what only the commands themselves look at: names of chapters, data, layouts, kinds."""
    texts = {name: value for name, value in values.items() if isinstance(value, str) and value}
    own = {name: value for name, value in texts.items() if not PLACEHOLDER.fullmatch(value)}
    for name in [name for name in own if name.startswith("model")]:
        get_chapter(own[name])
    assert own.get("profile", "quick") in PROFILES
    if "chapter" in own and own["chapter"] != FURTHER:
        cls = get_chapter(own["chapter"]).parameters_class()
        set_by = parse_assignments(cls, values.get("parameter") or [])
        cls.check(set_by)
        assert set_by.get("data", "phantom") in ("phantom", "my_heads", *manifest_names())
    if "layout" in own:
        assert own["layout"] in LAYOUTS
    if "kind" in own:
        assert own["kind"] in KINDS


@pytest.mark.parametrize(("words", "whole"), list(printed()))
def test_a_printed_command_is_taken(words, whole):
    if words[0] == "papermill":
        chapter = get_chapter(Path(words[1]).stem)
        assert (PROJECT / words[1]).is_file() and words[3::3] == ["-p"] * len(words[3::3])
        for name, value in zip(words[4::3], words[5::3], strict=True):
            parse_value(chapter.parameters_class(), name, value)
        return
    values = parsed(words, whole)
    check_values(values)
    if str(values.get("file", "")).startswith("workflow/"):
        assert (PROJECT / values["file"]).is_file()
    if words[1:3] in (["data", "show"], ["data", "fetch"]) and words[3:]:
        assert words[3] in manifest_names() or PLACEHOLDER.fullmatch(words[3])


@pytest.mark.parametrize(
    "line",
    [
        "fetal-lib runn 04",
        "fetal-lib run 04 --profil smoke",
        "fetal-lib run 04 --profile tiny",
        "fetal-lib run 04 -p epoch=3",
        "fetal-lib run 04 -p data=./heads",
        "fetal-lib predict brain-age T1.nii.gz --model runs/05_brain_age/quick-phantom",
        "fetal-lib book build --cores 0",
    ],
)
def test_a_printed_command_that_is_wrong_would_be_found(line):
    with pytest.raises((Exception, SystemExit)):
        check_values(parsed(line.split(), True))
