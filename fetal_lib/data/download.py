"""A downloader for pooch that resumes: it keeps a .part file and asks for the missing bytes."""

from __future__ import annotations

import time
from pathlib import Path

import requests

from fetal_lib.data.manifest import DataFile

CHUNK_BYTES = 1 << 14  # a broken connection loses the chunk that was being read


class FetchError(RuntimeError):
    """A file could not be fetched whole; nothing was left under its final name."""


class ResumingDownloader:
    """Download one file of a manifest into a .part file, over as many attempts as it takes.

    An instance is called by pooch with (url, output_file, pooch); pooch then checks the
    checksum and only after that gives the file its final name.

    Parameters
    ----------
    file : the manifest's entry; its size in bytes is checked.
    part : where the unfinished download is kept between attempts and runs.
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

    def __call__(self, url: str, output_file: str | Path, pooch: object) -> None:
        """Fetch the url and move the finished .part file to output_file."""
        reason = ""
        if self._received() > self.file.bytes:  # of another version
            self.part.unlink()
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self.pause_s * 2 ** (attempt - 1))
            try:
                self._attempt(url)
            except (requests.ConnectionError, requests.Timeout) as error:
                reason = f"{type(error).__name__}: {error}"
            except requests.RequestException as error:
                reason = f"{type(error).__name__}: {error}"
                response = error.response
                if response is not None and 400 <= response.status_code < 500:
                    break  # the server will say so again
            if self._received() == self.file.bytes:
                self.part.replace(output_file)
                return
            if self._received() > self.file.bytes:
                reason = "the server sends more bytes than the manifest states"
                self.part.unlink()
                break
            reason = reason or "the connection ended early"
        raise FetchError(self._message(url, reason, attempt + 1))

    def _message(self, url: str, reason: str, attempts: int) -> str:
        kept = self._received()
        fix = (
            f"run the command again, it goes on from the {kept} bytes kept in {self.part.name}"
            if kept
            else "check the connection and the address, or fetch the file by hand and put it there"
        )
        return (
            f"{self.file.name}: received {kept} of {self.file.bytes} bytes from {url} in "
            f"{attempts} attempt(s); {reason}; {fix}"
        )

    def _received(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _attempt(self, url: str) -> None:
        """Make one connection and append what comes, from where the .part file ends."""
        have = self._received()
        if have >= self.file.bytes:
            return
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        timeout = (min(10.0, self.timeout_s), self.timeout_s)
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            if response.status_code == 416:  # what is kept does not fit the server's file
                self.part.unlink(missing_ok=True)
                return
            response.raise_for_status()
            starts = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            goes_on = have > 0 and response.status_code == 206 and starts
            self.resumed = self.resumed or goes_on
            self._store(response, have if goes_on else 0)

    def _store(self, response: requests.Response, have: int) -> None:
        from tqdm import tqdm

        bar = tqdm(
            total=self.file.bytes,
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
                if have > self.file.bytes:
                    return
