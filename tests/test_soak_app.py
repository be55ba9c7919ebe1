"""Many at once in the app: everyone gets the answer to the own scan, and nothing is left."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

pytest.importorskip("gradio")
cv2 = pytest.importorskip("cv2")

from app_pages import answer, wait_for_no_files  # noqa: E402
from soak import tell, times  # noqa: E402

from fetal_phantoms.head import make_head  # noqa: E402

pytestmark = pytest.mark.slow
HEADS = 6


@pytest.fixture(scope="module")
def heads():
    """Make heads of clearly different sizes; return name, PNG and pixel size."""
    made = []
    for seed in range(HEADS):
        ok, png = cv2.imencode(".png", make_head(seed).image)
        assert ok
        made.append((f"user{seed}.png", png.tobytes(), 0.08 + 0.02 * seed))
    return made


def event_of(server, task):
    """Return the id and number of inputs of what answers a tab's files."""
    for one in server.page.config["dependencies"]:
        names = [name for _, name in one["targets"]]
        ids = {c["id"]: c.get("props", {}).get("elem_id") for c in server.page.config["components"]}
        if "upload" in names and any(ids.get(i) == f"files-{task}" for i, _ in one["targets"]):
            return one
    raise AssertionError(f"no tab takes files-{task}")


def ask(server, event, name, png, session):
    """Upload a scan and have it measured, as a browser does; return what the page shows."""
    sent = {"files": (name, png)}
    (path,) = requests.post(f"{server.url}gradio_api/upload", files=sent, timeout=600).json()
    given = {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
    end = answer(server, event, [[given], "0.12"], session, timeout=600)
    assert end["success"], end
    return json.dumps(end["output"]["data"])


def plain(text, name):
    """Leave out what differs between two answers to one scan: addresses and times."""
    return re.sub(
        r'data:image/[^"\\]*|data-seconds=\\"[\d.]+|\d+\.\d+ s|fetal-lib-app[^"\\]*', "", text
    )


def test_soak_many_users_at_once(server, heads):
    n_users, seconds = times(8, 50), times(20, 600)
    event = event_of(server, "hc")
    alone = {
        name: plain(ask(server, event, name, png, f"alone{i}"), name)
        for i, (name, png, _) in enumerate(heads)
    }
    assert len(set(alone.values())) == HEADS
    process, wrong, answers = psutil.Process(), [], []
    lock = threading.Lock()
    memory = process.memory_info().rss
    end = time.monotonic() + seconds

    def user(number):
        """Ask again and again; note each answer that is not that of the own scan."""
        asked = 0
        while not asked or time.monotonic() < end:
            name, png, _ = heads[(number + asked) % HEADS]
            told = plain(ask(server, event, name, png, f"user{number}-{asked}"), name)
            with lock:
                answers.append(name)
                if told != alone[name]:
                    wrong.append((number, asked, name))
            asked += 1

    with ThreadPoolExecutor(n_users) as pool:
        list(pool.map(user, range(n_users)))
    grown = (process.memory_info().rss - memory) / 2**20
    print(f"\n{len(answers)} answers to {n_users} users, {grown:.0f} MiB more")
    assert not wrong
    assert grown < 300
    wait_for_no_files(server.folder)
    words = f"{n_users} users for {seconds} s: answers"
    checked = f"each is that of the own scan; {grown:.0f} MiB more memory; no upload is left"
    tell("load", words, len(answers), len(wrong), checked)
