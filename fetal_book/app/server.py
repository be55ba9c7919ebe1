"""Serve the page: on this computer, behind its gate, with a folder that goes with the process."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from fetal_book.app.folder import private_folder
from fetal_book.app.gate import Gate
from fetal_book.app.page import build
from fetal_book.app.shelf import AppError
from fetal_book.app.uploads import MAX_VOLUME_BYTES

if TYPE_CHECKING:
    import gradio as gr

LOCAL = ("127.0.0.1", "localhost", "::1")
SESSIONS = 128
"""Visitors that Gradio remembers, about a MiB each, where its own limit is 10,000: more than wait
or are answered at a time."""


def launch(
    page: gr.Blocks, host: str = "127.0.0.1", port: int | None = None, **options: Any
) -> tuple[Any, str, str | None]:
    """Open a page that `build` made; return the app, its local URL, and its public one or None.

    Only this computer reaches the default host; without a port it is a free one from 7860 on.
    Further options are those of `gradio.Blocks.launch`, such as ``inline`` and ``height``.
    """
    from starlette.middleware import Middleware

    middleware = [Middleware(Gate)]
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
        "state_session_capacity": SESSIONS,
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
    """Build the page and serve it until interrupted; `share` opens a tunnel by Gradio's servers."""
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
