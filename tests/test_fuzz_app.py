"""Odd requests to the app: an answer or a refusal, none that the app cannot name, and it goes on.

Its addresses get bodies of any kind, its events values of any kind and scans that are damaged.
Afterwards it answers a whole scan as before, and no upload is left.
"""

from __future__ import annotations

import json
import logging

import pytest
import requests
from damaged_files import changes_near, fuzz, mutated
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

pytest.importorskip("gradio")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")

from app_pages import wait_for_no_files  # noqa: E402

from fetal_book.app import folder as folder_module  # noqa: E402
from fetal_phantoms.head import make_head  # noqa: E402

pytestmark = pytest.mark.slow
TIMEOUT_S = 120
NAMES = st.one_of(
    st.sampled_from(
        ["a.png", "a.nii.gz", "../a.png", "ä b.dcm", "C:\\a.png", "a" * 300, ".", "%00"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters='"\r\n\0'), min_size=1, max_size=12),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8"), max_size=20),
        st.sampled_from(["0,12", "nan", "1e999", "-1", "/etc/passwd", "http://localhost/x", "<b>"]),
        st.just({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}),
    ),
    lambda one: st.one_of(st.lists(one, max_size=3), st.dictionaries(st.text(max_size=6), one)),
    max_leaves=6,
)
ADDRESSES = [
    "queue/join",
    "queue/data",
    "run/predict",
    "upload",
    "reset",
    "cancel",
    "info",
    "file=x",
]


def settings_of(n: int) -> settings:
    """Return settings for requests that cost time: a failing one is not made smaller."""
    return settings(parent=fuzz(n), phases=[Phase.generate])


@pytest.fixture
def nothing_unknown(server, caplog):
    """Fail where the app met what it has no words for; at the end nothing is left of uploads."""
    with caplog.at_level(logging.ERROR, logger="fetal_book.app.page"):
        yield
    assert not caplog.records, caplog.text[-3000:]
    folder_module.sweep(-1)
    wait_for_no_files(server.folder)


def upload(server, name: str, content: bytes) -> str | None:
    """Upload a file; return where it lies, or None where it is refused."""
    sent = {"files": (name, content)}
    answer = requests.post(f"{server.url}gradio_api/upload", files=sent, timeout=TIMEOUT_S)
    assert answer.status_code < 500, answer.text
    return answer.json()[0] if answer.status_code == 200 else None


def ask(server, event: int, data: list, session: str) -> dict | None:
    """Send an event its values; return how it ended, None where it was not taken."""
    body = {"data": data, "fn_index": event, "session_hash": session}
    address = f"{server.url}gradio_api/queue/"
    joined = requests.post(f"{address}join", json=body, timeout=TIMEOUT_S)
    assert joined.status_code < 500 and "Traceback" not in joined.text
    if joined.status_code != 200:
        return None
    stream = requests.get(
        f"{address}data", params={"session_hash": session}, timeout=TIMEOUT_S, stream=True
    )
    for line in stream.iter_lines():
        assert b"Traceback" not in line and b"/fetal_book/" not in line
        if b'"process_completed"' in line:
            return json.loads(line.partition(b"data:")[2])
    return None


def taking_files(server) -> list[dict]:
    """Return the events that answer what is dropped into a tab."""
    events = server.page.config["dependencies"]
    return [one for one in events if any(name == "upload" for _, name in one["targets"])]


def png() -> bytes:
    return cv2.imencode(".png", make_head(3).image)[1].tobytes()


def measured(server, session: str) -> bool:
    """Tell whether a whole scan is measured."""
    path = upload(server, "a.png", png())
    given_file = {"path": path, "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    for event in taking_files(server):
        rest = [None] * (len(event["inputs"]) - 2)
        ended = ask(server, event["id"], [[given_file], "0.12", *rest], f"{session}{event['id']}")
        if ended and ended["success"] and "fl-time" in json.dumps(ended["output"]["data"]):
            return True
        path = upload(server, "a.png", png())
        given_file["path"] = path
    return False


def test_events_with_values_of_any_kind(server, nothing_unknown):
    rounds = iter(range(10**6))
    events = [(one["id"], len(one["inputs"])) for one in server.page.config["dependencies"]]

    @given(event=st.sampled_from([*events, (999, 1), (-1, 0)]), data=st.data())
    @settings_of(60)
    def run(event, data):
        number, n = event
        values = data.draw(st.lists(VALUES, min_size=max(0, n - 1), max_size=n + 1))
        ask(server, number, values, f"odd{next(rounds)}")

    run()
    assert measured(server, "after odd values")


def test_damaged_scans_in_every_tab(server, nothing_unknown):
    rounds, whole = iter(range(10**6)), png()
    tabs = taking_files(server)

    @given(
        changes=changes_near(0.3), name=NAMES, tab=st.sampled_from(range(len(tabs))), size=VALUES
    )
    @settings_of(40)
    def run(changes, name, tab, size):
        path = upload(server, name, mutated(whole, changes))
        if path is None:
            return
        given_file = {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        rest = [size, *[None] * len(tabs[tab]["inputs"])][: len(tabs[tab]["inputs"]) - 1]
        ask(server, tabs[tab]["id"], [[given_file], *rest], f"damaged{next(rounds)}")

    run()
    assert measured(server, "after damage")


@given(
    address=st.sampled_from(ADDRESSES),
    verb=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    body=st.one_of(st.binary(max_size=300), VALUES.map(lambda one: json.dumps(one).encode())),
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=x", "text/plain", ""]),
)
@settings_of(150)
def test_bodies_of_any_kind(server, address, verb, body, kind):
    if (verb, address) == ("GET", "queue/data"):
        return  # it listens to a session until that ends
    url = f"{server.url}gradio_api/{address}"
    sent = {"data": body, "headers": {"content-type": kind}, "timeout": TIMEOUT_S}
    answer = requests.request(verb, url, **sent)
    assert "Traceback" not in answer.text and answer.status_code < 500, (verb, address, body)
