"""A downloader for pooch that resumes: it keeps a .part file and asks for the missing bytes."""

from __future__ import annotations

import time
from pathlib import Path

import requests

from fetal_lib.data.manifest import UNKNOWN, DataFile
from fetal_lib.errors import UserError

CHUNK_BYTES = 1 << 14  # a broken connection loses the chunk that was being read


class FetchError(UserError, RuntimeError):
    """A file could not be fetched whole; nothing was left under its final name."""


class ResumingDownloader:
    """Download one file of a manifest into a .part file, over as many attempts as it takes.

    An instance is called by pooch with (url, output_file, pooch); pooch then checks the
    checksum and only after that gives the file its final name.

    Parameters
    ----------
    file : the manifest's entry; its size in bytes is checked, or the size that the server
        announces where the manifest knows none.
    part : where the unfinished download is kept between attempts, and between runs where a
        checksum can tell that the kept bytes belong to the file.
    progress : whether a bar is drawn; only ever on a terminal.
    attempts : connections that may fail before it gives up; at least 1.
    timeout_s : seconds without any byte after which an attempt counts as failed.
    pause_s : pause before the second attempt; doubled each time.
    """

    def __init__(
        self,
        file: DataFile,
        part: Path,
        progress: bool = True,
        attempts: int = 4,
        timeout_s: float = 30.0,
        pause_s: float = 1.0,
    ) -> None:
        if attempts < 1:
            raise ValueError(f"attempts is {attempts}; it must be 1 or more")
        self.file, self.part, self.progress = file, part, progress
        self.attempts, self.timeout_s, self.pause_s = attempts, timeout_s, pause_s
        self.resumed = False
        self.total = None if file.bytes == UNKNOWN else int(file.bytes)
        self._version = ""  # the server's word for the file's version: ETag or date

    def __call__(self, url: str, output_file: str | Path, pooch: object) -> None:
        """Fetch the url and move the finished .part file to output_file."""
        reason = ""
        if not self._may_resume():
            self.part.unlink(missing_ok=True)
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self.pause_s * 2 ** (attempt - 1))
            done, reason, final = self._try(url)
            if done:
                self.part.replace(output_file)
                return
            if final:
                break
        raise FetchError(self._message(url, reason, attempt + 1))

    def _may_resume(self) -> bool:
        """Return whether bytes of an earlier run can be told to belong to the file."""
        return self.file.has_checksum and self._received() <= (self.total or self._received())

    def _try(self, url: str) -> tuple[bool, str, bool]:
        """Make one attempt; return whether it is done, what went wrong, whether to give up."""
        reason, final = "the connection ended early", False
        try:
            self._attempt(url)
            if self.total is None and self._received():
                return True, "", True  # a server that states no length has ended its answer
        except requests.RequestException as error:
            reason = f"{type(error).__name__}: {error}"
            response = error.response
            final = response is not None and 400 <= response.status_code < 500
        if self.total is not None and self._received() > self.total:
            self.part.unlink()
            return False, f"the server sends more bytes than {self._who_says()}", True
        if self.total == 0:
            return False, "the server sends an empty file", True
        return self._received() == self.total, reason, final

    def _who_says(self) -> str:
        return "it announced" if self.file.bytes == UNKNOWN else "the manifest states"

    def _message(self, url: str, reason: str, attempts: int) -> str:
        kept = self._received()
        fix = "check the connection and the address, or fetch the file by hand and put it there"
        if kept and self.file.has_checksum:
            fix = (
                f"run the command again, it goes on from the {kept} bytes kept in {self.part.name}"
            )
        elif kept:
            fix = "run the command again; it starts anew, as the file has no published checksum"
        return (
            f"{self.file.name}: received {kept} of {self.total or 'unknown'} bytes from {url} in "
            f"{attempts} attempt(s); {reason}; {fix}"
        )

    def _received(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _headers(self, have: int) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        if have and self._version:
            headers["If-Range"] = self._version
        return headers

    def _attempt(self, url: str) -> None:
        """Make one connection and append what comes, from where the .part file ends."""
        have = self._received()
        if self.total is not None and have >= self.total:
            return
        timeout = (min(10.0, self.timeout_s), self.timeout_s)
        answer = requests.get(url, headers=self._headers(have), stream=True, timeout=timeout)
        with answer as response:
            if response.status_code == 416:  # what is kept does not fit the server's file
                self.part.unlink(missing_ok=True)
                return
            response.raise_for_status()
            starts = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            goes_on = have > 0 and response.status_code == 206 and starts
            self.resumed = self.resumed or goes_on
            self._note(response, have if goes_on else 0)
            self._store(response, have if goes_on else 0)

    def _note(self, response: requests.Response, have: int) -> None:
        """Keep the server's version and, where the manifest knows no size, its length."""
        tag = response.headers.get("ETag", "")
        strong = tag if not tag.startswith("W/") else ""
        self._version = strong or response.headers.get("Last-Modified", "")
        length = response.headers.get("Content-Length", "")
        if self.file.bytes == UNKNOWN:
            self.total = have + int(length) if length.isdigit() else None

    def _store(self, response: requests.Response, have: int) -> None:
        from tqdm import tqdm

        bar = tqdm(
            total=self.total,
            initial=have,
            unit="B",
            unit_scale=True,
            desc=self.file.name,
            disable=None if self.progress else True,
        )
        with bar, self.part.open("ab" if have else "wb") as output:
            for chunk in response.iter_content(CHUNK_BYTES):
                output.write(chunk)
                bar.update(len(chunk))
                have += len(chunk)
                if self.total is not None and have > self.total:
                    return
