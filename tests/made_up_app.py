"""What stands behind the page in a test: one model on the shelf, files as Gradio hands them on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fetal_book.app.shelf import TASKS, Choice, Loaded


def made_up_choice(folder: Path) -> Choice:
    """Return the source of a model of a run on phantoms."""
    run = ("runs/mine", folder, "phantom", "phantoms", "quick", "2026-01-01")
    return Choice(*run, card="# Card")


class OneModel:
    """A shelf with one model, for one tab or for everything; it notes which tabs asked."""

    def __init__(self, loaded: Loaded, task: str | None = None) -> None:
        self.loaded, self.asked = loaded, []
        self.choices = {name: [loaded.choice] * (task in (None, name)) for name in TASKS}

    def get(self, task: str, label: str | None = None) -> Loaded:
        """Return the model."""
        self.asked.append(task)
        return self.loaded

    def planes(self) -> Any:
        """Return what knows the planes of made-up scans, which the model knows too."""
        from made_up_biometry import PlaneOracle

        return PlaneOracle(*self.loaded.model.known)

    def head_finder(self) -> Loaded:
        """Return the model."""
        return self.loaded


def shelf_of(model: Any, folder: Path, task: str | None = None) -> OneModel:
    """Return a shelf with a model of a run on phantoms."""
    return OneModel(Loaded(model, made_up_choice(folder)), task)


def upload(path: Path, content: bytes = b"", name: str = "scan.png") -> dict[str, str]:
    """Write a file, and return what Gradio's box would send of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"path": str(path), "orig_name": name}


def png(image: Any) -> bytes:
    """Return a picture as a PNG file."""
    import cv2

    return cv2.imencode(".png", image)[1].tobytes()
