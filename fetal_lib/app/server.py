"""Serve the page: bounded requests, no other host, a private folder that goes with the process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_lib.app.page import build
from fetal_lib.app.shelf import AppError
from fetal_lib.app.uploads import LEDGER, MAX_REQUEST_BYTES, MAX_VOLUME_BYTES

if TYPE_CHECKING:
    import gradio as gr

LOCAL = ("127.0.0.1", "localhost", "::1")
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


class Guard:
    """ASGI middleware: bound requests, count uploads, send the headers above.

    Parameters
    ----------
    app : the application behind it.
    max_bytes : largest body of a request.
    """

    def __init__(self, app: Any, max_bytes: int = MAX_REQUEST_BYTES) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sizes = [value for name, value in scope["headers"] if name == b"content-length"]
        if sizes and sizes[0].isdigit() and int(sizes[0]) > self.max_bytes:
            await _refuse(send, self.max_bytes)
            return
        is_upload = scope["method"] == "POST" and scope["path"].endswith("/upload")
        body: list[bytes] = []

        async def answer(message: dict) -> None:
            if message["type"] == "http.response.start":
                named = [(k.encode(), v.encode()) for k, v in HEADERS.items()]
                message = message | {"headers": [*message.get("headers", []), *named]}
            elif is_upload and message["type"] == "http.response.body":
                body.append(message.get("body", b""))
                if not message.get("more_body"):
                    _count(b"".join(body))
            await send(message)

        await self.app(scope, _bounded(receive, self.max_bytes), answer)


def _bounded(receive: Any, max_bytes: int) -> Any:
    """Return a receiver that ends a body which is longer than it may be."""
    seen = 0

    async def bounded() -> dict:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > max_bytes else message

    return bounded


async def _refuse(send: Any, max_bytes: int) -> None:
    text = f"The request is too large: at most {max_bytes / 1e6:.0f} MB at a time.".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _count(body: bytes) -> None:
    """Note the files of an upload that has been answered."""
    try:
        paths = json.loads(body)
    except ValueError:
        return
    if isinstance(paths, list):
        LEDGER.add([path for path in paths if isinstance(path, str)])


def launch(
    page: gr.Blocks, host: str = "127.0.0.1", port: int | None = None, **options: Any
) -> tuple[Any, str, str | None]:
    """Open a page that `build` made.

    Parameters
    ----------
    page : gradio.Blocks
    host : address to listen at; only this computer reaches the default.
    port : a free one from 7860 on without it.
    **options
        Of :meth:`gradio.Blocks.launch`, such as ``inline`` and ``height`` in a notebook.

    Returns
    -------
    app, local URL, public URL or None

    Raises
    ------
    AppError
        If the port is taken.
    """
    from starlette.middleware import Middleware

    middleware = [Middleware(Guard)]
    if host in LOCAL and not options.get("share"):
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=list(LOCAL)))
    settings = {
        "share": False,
        "app_kwargs": {"middleware": middleware},
        "max_file_size": MAX_VOLUME_BYTES,
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "quiet": True,
    }
    try:
        return page.launch(server_name=host, server_port=port, **(settings | options))
    except OSError as error:
        raise AppError(
            f"port: cannot listen at {host}, port {port or '7860 and above'} ({error}); name "
            "another with --port."
        ) from None


def serve(
    host: str = "127.0.0.1", port: int | None = None, share: bool = False, **models: Any
) -> None:
    """Build the page and serve it until it is interrupted.

    Parameters
    ----------
    host, port : see `launch`.
    share : open a tunnel by Gradio's servers, so that others reach the page.
    **models : see `build`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import matplotlib

    matplotlib.use("Agg")
    signal.signal(signal.SIGTERM, _stop)
    with private_folder():
        page = build(**models)
        options = {"share": share, "prevent_thread_lock": True}
        _, url, public = launch(page, host, port, **options)
        print(f"{url}  (Ctrl+C ends it)", flush=True)
        if public:
            print(f"Anyone with this link reaches the page: {public}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
        finally:
            page.close(verbose=False)


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def private_folder() -> Iterator[Path]:
    """Give Gradio a folder of its own for uploads, readable for its user only; remove it."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    folder = Path(tempfile.mkdtemp(prefix="fetal-lib-app-"))
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if before is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = before
