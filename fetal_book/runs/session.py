"""The notebook's side of a run: check the parameters, hold the folder, keep the results."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.parameters.base import ChapterParameters
from fetal_book.parameters.chapters import Chapter, get_chapter
from fetal_book.parameters.project import cache_root
from fetal_book.runs.attempt import take_name
from fetal_book.runs.banner import banner_text
from fetal_book.runs.case_gallery import Tile, gallery_html
from fetal_book.runs.cell_errors import unwatch_cells, watch_cells
from fetal_book.runs.data_sets import with_folders
from fetal_book.runs.exhibits import save_figure, save_gallery, save_table
from fetal_book.runs.folder import data_name, release
from fetal_book.runs.machine import peak_gpu_mb, peak_rss_mb
from fetal_book.runs.record import RunRecord, utc_now
from fetal_book.runs.results import result_row, results_document, row_key
from fetal_book.runs.stale import data_fingerprint, used_modules
from fetal_book.runs.start import FOLDER_VARIABLE, start_alone, start_in_parent
from fetal_book.runs.warnings_log import WARNINGS_FILE, log_warnings
from fetal_lib.errors import short
from fetal_lib.files.atomic import append_line, write_json
from fetal_lib.files.fingerprint import module_hashes

if TYPE_CHECKING:
    import pandas as pd
    from filelock import FileLock
    from IPython.display import HTML
    from matplotlib.figure import Figure

    from fetal_lib.training.reuse import FitOutcome

SESSION_FILE = "logs/session.json"
FLAWS = "flaws"
"""Table of differences between scores with a flaw and without it."""


def open_run(chapter: str, namespace: MutableMapping[str, Any]) -> Run:
    """Start a run from inside a notebook.

    Parameters
    ----------
    chapter : str
        Name of the chapter, such as `04_head_circumference`.
    namespace : dict
        The notebook's `globals()`. The parameters are read from it, whether papermill injected
        them or a person edited the parameters cell, and the values in force are written back:
        with `profile = "smoke"`, what the profile sets holds where the cell has the default.

    Returns
    -------
    Run
        With `.parameters` (validated) and `.folder`.

    Raises
    ------
    ParameterError
        If a name or a value cannot be used.
    RunFolderError
        If the run folder is in use, or holds something else than a run.
    """
    known = get_chapter(chapter)
    parent = os.environ.get(FOLDER_VARIABLE, "")
    if parent:
        parameters, record = start_in_parent(known, namespace, Path(parent))
        run = Run(known, with_folders(parameters), Path(parent), record, lock=None)
    else:
        parameters, folder, record, lock = start_alone(known, namespace)
        run = Run(known, with_folders(parameters), folder, record, lock)
        watch_cells(run.note_failure)
    log_warnings(run.folder / WARNINGS_FILE)
    namespace.update(parameters.model_dump(exclude={"out"}))
    run.progress(event="start", chapter=known.name, profile=parameters.profile)
    return run


class Run:
    """Collect what a chapter produces; made by `open_run`, ended by `finish`.

    Parameters
    ----------
    chapter : Chapter
    parameters : ChapterParameters
    folder : Path
        Where the run is written; model files go to `folder / "model"`. A run without a parent
        takes its name when it is finished.
    record : RunRecord
    lock : FileLock or None
        None when a parent process holds the folder.
    """

    def __init__(
        self,
        chapter: Chapter,
        parameters: ChapterParameters,
        folder: Path,
        record: RunRecord,
        lock: FileLock | None,
    ) -> None:
        self.chapter = chapter
        self.parameters = parameters
        self.folder = folder
        self.data_fingerprint: Any = None
        self._record = record
        self._lock = lock
        self._rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self._differences: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._fits: list[dict[str, Any]] = []
        self._code: set[str] = set()
        self._start = time.monotonic()

    @property
    def data_name(self) -> str:
        """Name of the data set, as tables carry it."""
        return data_name(self.parameters.data)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The result rows so far."""
        return list(self._rows.values())

    def add_result(
        self,
        *,
        model: str,
        split: str,
        metric: str,
        value: float,
        unit: str | None = None,
        n: int | None = None,
        ci95: Sequence[float] | None = None,
        data: str | None = None,
    ) -> None:
        """Add one number; the same model, data, split and metric again replaces it.

        Parameters
        ----------
        model : str
            Name of a model or of a baseline, such as `unet`, `mean`, `ellipse_fit`.
        split : str
            `test` for what a claim rests on; else `train`, `val`, `external`, `all`, `protocol`.
        metric : str
            One of dice, iou, recall, precision, map, hd_mm, hd95_mm, assd_mm, df_mm, adf_mm,
            mae_days, mae_years, rmse_days, rmse_years, r2, ccc, coverage, accuracy, macro_f1,
            auc_macro, auc_micro, ece, params, gmac, train_s, images_per_s.
        value : float
            Finite.
        unit : str, optional
            The metric's unit; may be left out.
        n : int, optional
            Number of cases.
        ci95 : (low, high), optional
            95 % interval.
        data : str, optional
            The data set that was scored; the run's own without it.

        Raises
        ------
        ResultError
            If the row cannot be used.
        """
        row = result_row(
            model=model,
            data=data or self.data_name,
            split=split,
            metric=metric,
            value=value,
            unit=unit,
            n=n,
            ci95=ci95,
        )
        self._rows[row_key(row)] = row

    def add_difference(
        self,
        flawed: str,
        honest: str,
        metric: str,
        value: float,
        ci95: Sequence[float],
        subjects: int,
        *,
        trainings: int = 1,
        epochs: int | None = None,
        exposed: float | None = None,
    ) -> None:
        """Keep what a flaw does to a score, and write all so far to `tables/flaws.csv`.

        Parameters
        ----------
        flawed, honest : str
            Models of the rows that are compared.
        metric : str
        value : float
            Score with the flaw minus score without it.
        ci95 : two floats
            95 % interval of the difference, as `fetal_lib.metrics.differences` computes it.
        subjects : int
            Different subjects on both sides.
        trainings : int
            How often each side was trained, by another seed each time; 0 where the fit leaves
            nothing to chance, so that there is no luck of training.
        epochs : int, optional
            Of one training.
        exposed : float in [0, 1], optional
            Share of the cases scored with the flaw that the training had seen in some form.
        """
        import pandas as pd

        low, high = map(float, ci95)
        key = (flawed, honest, metric)
        row = dict(zip(("flawed", "honest", "metric"), key, strict=True))
        row |= {"difference": float(value), "low": low, "high": high, "subjects": subjects}
        row |= {"trainings": trainings, "epochs": epochs, "exposed": exposed}
        self._differences[key] = row
        table = pd.DataFrame(self._differences.values())
        self.save_table(table, FLAWS, "What each flaw does to its score.")

    def save_table(self, table: pd.DataFrame, name: str, caption: str) -> None:
        """Write `tables/<name>.csv`, and its caption to `tables/index.json`."""
        save_table(self.folder, table, name, caption)

    def save_figure(self, figure: Figure, name: str, caption: str, alt: str) -> None:
        """Write `figures/<name>.svg` and `.png`, caption and alt text to `figures/index.json`."""
        save_figure(self.folder, figure, name, caption, alt)

    def save_gallery(self, tiles: Sequence[Tile], name: str, caption: str) -> HTML:
        """Write `galleries/<name>.html`, cases that a reader sorts, and return it to be shown."""
        from IPython.display import HTML

        html = gallery_html(tiles, name, caption)
        save_gallery(self.folder, html, name, caption)
        return HTML(html)

    def progress(self, event: str | dict[str, Any] | None = None, /, **fields: Any) -> None:
        """Append one line to progress.jsonl.

        The terminal shows what it knows: `run.progress("epoch", epoch=3, epochs=24, loss=0.1)`,
        or `run.progress({"event": "epoch", ...})`; `run.progress("stage", text="training")`.
        """
        line = {"event": event} if isinstance(event, str) else dict(event or {})
        append_line(self.folder / "progress.jsonl", {"time": utc_now(), **line, **fields})

    def fit_or_reuse(
        self,
        model: dict[str, Any],
        hyper_parameters: dict[str, Any],
        code: Sequence[str],
        fit: Callable[[Path], None],
        seed: int | None = None,
    ) -> FitOutcome:
        """Train, resume or reuse a fit, and note it in the record.

        Parameters
        ----------
        model : dict
            What the network is: name and the numbers it is built from.
        hyper_parameters : dict
            How it is trained.
        code : sequence of str
            Modules that hold the network and the training; what they import from fetal_lib
            counts too.
        fit : callable
            `fit(folder)` trains into the folder, and goes on from what it finds there.
        seed : int, optional
            The run's seed unless another is given.

        Returns
        -------
        FitOutcome
            With `.folder` and `.state`: "fitted", "resumed" or "reused".

        Raises
        ------
        RuntimeError
            If `data_fingerprint` was not set before.
        """
        from fetal_lib.training.reuse import FitCache, FitSpec

        if self.data_fingerprint is None:
            raise RuntimeError(
                "data_fingerprint: not set; a fit is reused only for the same data; "
                "set run.data_fingerprint before run.fit_or_reuse"
            )
        spec = FitSpec(
            model=model,
            data=self.data_fingerprint,
            hyper_parameters=hyper_parameters,
            seed=self.parameters.seed if seed is None else seed,
            code=tuple(code),
        )
        cache = FitCache(cache_root())
        outcome = cache.fit_or_reuse(spec, fit, self.parameters.refit, say=self.progress)
        self._code.update(outcome.modules)
        name = model.get("name", "model")
        self._fits.append({"name": name, "key": outcome.key, "state": outcome.state})
        return outcome

    def fingerprint_folder(self, folder: Path) -> dict[str, str]:
        """Hash a data folder, set `data_fingerprint` to it, and return it.

        The record then tells `fetal-lib status` which folder to look at again.
        """
        self.data_fingerprint = data_fingerprint(Path(folder).resolve())
        return self.data_fingerprint

    def banner(self) -> str:
        """Return Markdown that says what data the page rests on and which run made it."""
        return banner_text(self.parameters, self._record)

    def finish(self) -> None:
        """Write results.json and what the record needs to know; call it in the last cell."""
        facts = {
            "modules": module_hashes({*used_modules(), *self._code}),
            "data_fingerprint": self.data_fingerprint,
            "fits": self._fits,
            "peak_rss_mb": peak_rss_mb(),
            "peak_gpu_mb": peak_gpu_mb(),
        }
        write_json(self.folder / "results.json", results_document(self.chapter.name, self.rows))
        write_json(self.folder / SESSION_FILE, facts)
        self.progress(event="finish", seconds=round(time.monotonic() - self._start, 1))
        if self._lock is not None:
            self._close_own_record(facts)

    def note_failure(self, name: str, message: str) -> None:
        """Write into the record that a cell raised; a run that is finished later is `ok` again."""
        record = self._record.model_copy()
        line = f"{name}: {message.strip().splitlines()[-1] if message.strip() else ''}"
        error = {"name": name, "message": short(message, 2000), "last_line": short(line, 500)}
        record.close("failed", f"a cell raised {name}", error)
        record.write(self.folder)

    def _close_own_record(self, facts: dict[str, Any]) -> None:
        unwatch_cells()
        record = self._record.model_copy(update=facts)
        record.close("ok")
        record.write(self.folder)
        if self._lock is not None and self._lock.is_locked:
            self.folder = take_name(self.folder)
            release(self._lock)
