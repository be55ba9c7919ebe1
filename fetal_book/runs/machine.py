"""Describe the machine and the code of a run, without names of people or computers."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

KEY_PACKAGES = (
    "numpy",
    "pandas",
    "scipy",
    "scikit-image",
    "scikit-learn",
    "matplotlib",
    "opencv-python-headless",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "torch",
    "lightning",
    "monai",
    "papermill",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the key packages that are installed."""
    found = {"python": platform.python_version()}
    for name in KEY_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def environment() -> dict[str, str]:
    """Return the installed distributions, `{name: version}`, and the Python version."""
    notes = [dist.metadata for dist in metadata.distributions()]  # each access reads the file
    found = {
        note["Name"].lower().replace("_", "-"): note["Version"]
        for note in notes
        if note["Name"] and note["Name"].lower() not in ("fetal-lib", "fetal_lib")
    }
    return {"python": platform.python_version(), **dict(sorted(found.items()))}


def hardware() -> dict[str, Any]:
    """Return CPU model, usable cores, RAM in GB and GPU name (None without one)."""
    return {"cpu": cpu_model(), "cores": cores(), "ram_gb": ram_gb(), "gpu": gpu_name()}


def cpu_model() -> str:
    """Return the processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ram_gb() -> float:
    """Return the machine's memory in GB."""
    import psutil

    return round(psutil.virtual_memory().total / 1e9, 1)


def gpu_name() -> str | None:
    """Return the names of the NVIDIA GPUs by `nvidia-smi`, None without one."""
    if shutil.which("nvidia-smi") is None:
        return None
    lines = _output(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])
    return "; ".join(line.strip() for line in lines.splitlines() if line.strip()) or None


def code_state(root: Path) -> dict[str, Any]:
    """Return the commit of the project and whether files differ from it (None: no repository)."""
    top = _output(["git", "-C", str(root), "rev-parse", "--show-toplevel"]).strip()
    if not top or Path(top).resolve() != root.resolve():
        return {"commit": None, "dirty": None}
    commit = _output(["git", "-C", str(root), "rev-parse", "HEAD"]).strip()
    changed = _output(["git", "-C", str(root), "status", "--porcelain"])
    return {"commit": commit or None, "dirty": bool(changed.strip())}


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def peak_rss_mb() -> float:
    """Return the most memory that this process, or a child that ended, has held, in MB."""
    import resource

    scale = 1e6 if sys.platform == "darwin" else 1e3
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return round(max(resource.getrusage(one).ru_maxrss for one in who) / scale, 1)


def peak_gpu_mb() -> float | None:
    """Return the most GPU memory that the loaded framework has held, in MB; None without a GPU."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return round(torch.cuda.max_memory_allocated() / 1e6, 1)
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and tensorflow.config.list_physical_devices("GPU"):
        return round(tensorflow.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6, 1)
    return None
