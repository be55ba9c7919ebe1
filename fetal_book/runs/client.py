"""papermill's notebook client with a kernel of this very interpreter and bounded outputs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from nbformat import NotebookNode
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

ENGINE = "fetal"
OUTPUT_LIMIT = 8_000_000
PER_STREAM_LIMIT = 1_000_000
IOPUB_TIMEOUT_S = 600


class OwnSpecs(KernelSpecManager):
    """Answer every kernel name with this interpreter, whatever is installed elsewhere."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the specification of a kernel that runs `sys.executable`."""
        return KernelSpec(
            argv=[sys.executable, "-m", "fetal_book.runs.kernel", "-f", "{connection_file}"],
            display_name="Python 3 (ipykernel)",
            language="python",
        )


class OwnManager(AsyncKernelManager):
    """Start a kernel of this interpreter, on sockets that other users cannot open."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(kernel_spec_manager=OwnSpecs(), **kwargs)
        # Sockets of the file system are closed to other users; their names must be short.
        runtime = Path(jupyter_runtime_dir())
        if sys.platform.startswith("linux") and len(str(runtime)) < 50:
            runtime.mkdir(parents=True, exist_ok=True)
            self.transport = "ipc"
            self.ip = str(runtime / f"k{os.getpid()}")


class BoundedClient(PapermillNotebookClient):
    """Run cells, and keep warnings off the page, and a cell's output from filling it."""

    def __init__(self, nb_man: Any, on_stderr: Callable[[str], None], **kw: Any) -> None:
        super().__init__(
            nb_man,
            kernel_manager_class=OwnManager,
            record_timing=False,
            shutdown_kernel="immediate",  # one that is asked to end takes seconds over it
            **kw,
        )
        self._on_stderr = on_stderr
        self.iopub_timeout = IOPUB_TIMEOUT_S
        self._sizes: dict[int, int] = {}

    def output(
        self,
        outs: list[NotebookNode],
        msg: dict[str, Any],
        display_id: str | None,
        cell_index: int,
    ) -> NotebookNode | None:
        """Take an output, unless the cell has put out too much already; errors always count.

        What goes to standard error is handed on.
        """
        content = msg["content"]
        if content.get("name") == "stderr":
            self._on_stderr(content["text"])
            return None
        size = output_size(content)
        limit = PER_STREAM_LIMIT if "text" in content else OUTPUT_LIMIT
        used = self._sizes.get(cell_index, 0)
        self._sizes[cell_index] = used + size
        if used + size <= limit or msg["msg_type"] == "error":
            return super().output(outs, msg, display_id, cell_index)
        if used <= limit:
            note = f"\n[more output of this cell left out: it passed {limit / 1e6:.0f} MB]\n"
            outs.append(new_output("stream", name="stdout", text=note))
        return None


def output_size(content: dict[str, Any]) -> int:
    """Return the number of characters of a kernel's output message."""
    if "text" in content:
        return len(content["text"])
    return sum(len(str(value)) for value in content.get("data", {}).values())


class OwnEngine(NBClientEngine):
    """The engine that papermill calls: the same work as its own, with the client above."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        on_kernel: Callable[[Popen[bytes]], None],
        on_cell: Callable[..., None],
        on_stderr: Callable[[str], None],
        start_timeout: int = 120,
        **kwargs: Any,
    ) -> Any:
        """Execute the notebook that papermill manages; say what its kernel is, and each cell."""
        start = {"startup_timeout": start_timeout, "on_cell_start": on_cell}
        client = BoundedClient(nb_man, on_stderr, kernel_name=kernel_name, **start)
        client.on_notebook_start = lambda notebook: on_kernel(client.km.provisioner.process)
        return client.execute()


papermill_engines.register(ENGINE, OwnEngine)
