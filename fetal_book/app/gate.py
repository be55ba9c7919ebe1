"""What the server lets in: few addresses, bounded bodies, files that came with the request."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fetal_book.app import folder
from fetal_book.app.uploads import LEDGER

if TYPE_CHECKING:
    import gradio as gr

LOG = logging.getLogger(__name__)
MAX_REQUEST_BYTES = 400_000_000
"""Of one upload."""
MAX_EVENT_BYTES = 16_000_000
"""Of any other request; the largest carries the scan that the browser holds."""
MAX_WAITING_BYTES = 2_000_000_000
"""Of all uploads that wait for their answers."""
UPLOAD = "/gradio_api/upload"
OPEN = re.compile(
    r"/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|login_check"
    r"|(assets|static|svelte)/[^?]*"
    r"|gradio_api/(upload|upload_progress|run/predict|queue/(join|data)|heartbeat/\w+"
    r"|startup-events|app_id|info|reset|cancel|login_check))?/?"
)
"""What the page asks for; Gradio's other addresses give files away, fetch others, or store."""
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""The browser is told to load nothing from elsewhere, whatever a page or a file name says."""


class Gate:
    """ASGI middleware: bound requests, count uploads, send the headers above."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_upload = scope["method"] == "POST" and scope["path"] == UPLOAD
        max_bytes = MAX_REQUEST_BYTES if is_upload else MAX_EVENT_BYTES
        problem = _problem(scope, max_bytes, is_upload)
        if problem:
            await _refuse(send, *problem)
            return
        body: list[bytes] = []
        has_begun = False

        async def answer(message: dict) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                named = [(k.encode(), v.encode()) for k, v in HEADERS.items()]
                message = message | {"headers": [*message.get("headers", []), *named]}
            elif is_upload and message["type"] == "http.response.body":
                body.append(message.get("body", b""))
                if not message.get("more_body"):
                    _count(b"".join(body))
            await send(message)

        try:
            await self.app(scope, _bounded(receive, max_bytes), answer)
        except Exception as error:  # Gradio's, of a request that no page of its sends
            if has_begun:
                raise
            LOG.warning("a request to %s could not be read: %r", scope["path"], error)
            await _refuse(send, 400, "This request is none that the page sends.")
        finally:
            if is_upload:
                asyncio.get_running_loop().call_later(folder.KEPT_S + 1, folder.sweep)


def _problem(scope: dict, max_bytes: int, is_upload: bool) -> tuple[int, str] | None:
    """Return status and reason of a request that is refused before it is read."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    if not OPEN.fullmatch(scope["path"]):
        return 404, "There is nothing here."
    if scope["method"] == "POST" and headers.get(b"sec-fetch-site") == b"cross-site":
        return 403, "Another web page sent this; use the app's own."
    size = headers.get(b"content-length", b"")
    if size.isdigit() and int(size) > max_bytes:
        return 413, f"The request is too large: at most {max_bytes / 1e6:.0f} MB at a time."
    if is_upload and folder.waiting_bytes() > MAX_WAITING_BYTES:
        return 503, "Too many uploads wait for their answers; try again in some minutes."
    return None


def _bounded(receive: Any, max_bytes: int) -> Any:
    """Return a receiver that ends a body which is longer than it may be."""
    seen = 0

    async def bounded() -> dict:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > max_bytes else message

    return bounded


async def _refuse(send: Any, status: int, reason: str) -> None:
    text = reason.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _count(body: bytes) -> None:
    """Note the files of an upload that has been answered."""
    try:
        paths = json.loads(body)
    except ValueError:
        return
    if isinstance(paths, list):
        LEDGER.add([path for path in paths if isinstance(path, str)])


def only_uploads(page: gr.Blocks) -> None:
    """Let no request name a file that was not uploaded, or an address that Gradio would fetch."""
    import gradio as gr

    validate = page.validate_inputs

    def validated(block_fn: Any, inputs: list) -> None:
        validate(block_fn, inputs)
        if not all(map(folder.is_upload, _paths(inputs))):
            raise gr.Error("A file is no longer here; drop it again.", print_exception=False)

    page.validate_inputs = validated


def _paths(value: Any) -> Iterator[str]:
    """Yield all paths that stand in the values of a request."""
    if isinstance(value, dict):
        if "path" in value:
            yield str(value["path"])
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _paths(one)
