"""A run that trains for so many seconds and stops behind an epoch, to go on another day."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.parameters.chapters import get_chapter
from fetal_book.published_size.networks import get_network
from fetal_book.published_size.record import SizeRecord
from fetal_book.runs.energy import EnergyMeter
from fetal_book.runs.record import RunRecord
from fetal_book.runs.session import Run
from fetal_lib.training.diverged import DivergedFit
from fetal_lib.training.history import read_history
from fetal_lib.training.reuse import FitCache, FitSpec

if TYPE_CHECKING:
    from fetal_book.parameters.base import ChapterParameters
    from fetal_lib.training.reuse import FitOutcome


class BudgetSpent(Exception):
    """The seconds of a sitting are over; the fit goes on from its last checkpoint."""


class PieceRun(Run):
    """A chapter's run that ends its training behind the epoch that would outlast a budget.

    What a chapter makes of its data is kept where chapters keep it. A training is kept in the
    folder by what it rests on, the code left out: it takes days, in which code around it changes;
    the sittings in the record name their commits.

    Parameters
    ----------
    record : followed epoch by epoch, and written to ``records``.
    parameters : of the chapter.
    folder : where the training and its progress are kept.
    records : folder of the small records.
    seconds : of this sitting; one epoch is trained even if it takes longer.
    """

    def __init__(
        self,
        record: SizeRecord,
        parameters: ChapterParameters,
        folder: Path,
        records: Path,
        seconds: float,
    ) -> None:
        chapter = get_chapter(record.chapter)
        super().__init__(chapter, parameters, folder, RunRecord(chapter=chapter.name), lock=None)
        self.kept, self.records, self.seconds = record, records, seconds
        self.meter = EnergyMeter()
        self.fitting: Path | None = None
        self.began, self.worked = time.monotonic(), time.process_time()

    def fit_or_reuse(
        self,
        model: dict[str, Any],
        hyper_parameters: dict[str, Any],
        code: Sequence[str],
        fit: Callable[[Path], None],
        seed: int | None = None,
    ) -> FitOutcome:
        """Train by the epoch, or go on; what is no training is made as in any run."""
        if "epochs" not in hyper_parameters:
            return super().fit_or_reuse(model, hyper_parameters, code, fit, seed)
        seed = self.parameters.seed if seed is None else seed
        spec = FitSpec(model, self.data_fingerprint, hyper_parameters, seed)

        def train(folder: Path) -> None:
            self.fitting = folder
            self._follow()
            self.worked = time.process_time()
            fit(folder)

        outcome = FitCache(self.folder).fit_or_reuse(spec, train, say=self.progress)
        self.fitting = outcome.folder
        self._follow()
        return outcome

    def progress(self, event: str | dict[str, Any] | None = None, /, **fields: Any) -> None:
        """Append to progress.jsonl; behind an epoch, keep the record and look at the clock.

        Raises
        ------
        BudgetSpent
            If another epoch like the last would outlast the sitting.
        DivergedFit
            If the loss is no number; the record keeps the epochs before.
        """
        super().progress(event, **fields)
        if event != "epoch" or self.fitting is None:
            return
        if not math.isfinite(fields["loss"]):
            raise DivergedFit(fields["epoch"], fields["loss"])
        self._follow()
        left = self.seconds - (time.monotonic() - self.began)
        if fields["epoch"] < fields["epochs"] and left < fields["seconds"]:
            raise BudgetSpent

    def _follow(self) -> None:
        watched = get_network(self.kept.network).watched
        self.meter.ask()
        now = time.process_time()
        self.kept.follow(read_history(self.fitting), watched, now - self.worked)
        self.kept.write(self.records)
        self.worked = now
