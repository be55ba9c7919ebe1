"""The page that measures in the browser: its parts, without a browser."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import sys
import tarfile
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fetal_book.site import npm_package, try_it
from fetal_book.site.try_it_numbers import MEASURES, formulas, javascript, numbers
from fetal_book.site.try_it_runtime import get_runtime
from fetal_lib.errors import UserError
from fetal_lib.growth import hadlock, intergrowth_age, intergrowth_size, intergrowth_weight
from fetal_lib.predict.biometry_model import BiometrySpec
from fetal_lib.predict.plane import PLANES, PlaneSpec

PROJECT = Path(__file__).resolve().parents[1]
HALF = {"head": {"hc_mm": (0.03,)}}
SPEC = BiometrySpec(224, 320, ("head",), offsets={"head": 0.99}, half_widths=HALF)
PLANE_SPEC = PlaneSpec(96, 0.2, 1)


def evaluate(formula: str, **values: np.ndarray | float) -> np.ndarray:
    """Compute an arrow function of JavaScript; its arithmetic reads the same in Python."""
    _, _, body = formula.partition(" => ")
    return eval(body, {"Math": SimpleNamespace(log=np.log, exp=np.exp)} | values)


@pytest.mark.parametrize("measure", MEASURES)
def test_standards_in_javascript_give_what_the_library_gives(measure):
    weeks = np.linspace(14, 40, 200)
    for name, function in (("mean", intergrowth_size.mean_mm), ("sd", intergrowth_size.sd_mm)):
        found = evaluate(formulas()[f"{name}{measure}"], g=weeks)
        np.testing.assert_allclose(found, function(measure, weeks), rtol=1e-12)


def test_formulas_in_javascript_give_what_the_library_gives():
    found, hc_mm = formulas(), np.linspace(98, 346, 200)
    np.testing.assert_allclose(
        evaluate(found["gaDaysFromHc"], hc=hc_mm),
        intergrowth_age.ga_days_from_hc(hc_mm),
        rtol=1e-12,
    )
    mm = {"AC": 340.0, "FL": 70.0, "BPD": 90.0, "HC": 330.0}
    cm = {name: value / 10 for name, value in mm.items()}
    given = {f"{name.lower()}_mm": value for name, value in mm.items()}
    for formula in hadlock.EFW_NEEDS:
        expected = hadlock.efw_g(**given, formula=formula)
        assert 10 ** evaluate(found[f"log{formula}"], **cm) == pytest.approx(expected, rel=1e-12)
    log_weight = evaluate(found["logintergrowth"], a=0.34, h=0.33)
    assert np.exp(log_weight) == pytest.approx(intergrowth_weight.efw_g(340, 330), rel=1e-12)


def test_numbers_for_the_page_are_those_of_the_library():
    found = json.loads(json.dumps(numbers(SPEC, PLANE_SPEC, 9.234)))
    assert found["download_mb"] == 9.2
    assert found["model"]["offsets"] == {"head": 0.99} and found["model"]["even"] == 4
    assert found["model"]["half_widths"]["head"]["hc_mm"] == [0.03]
    assert found["planes"]["names"] == list(PLANES)
    assert found["limits"]["size_mm"]["hc_mm"] == [40, 400]
    assert found["limits"]["max_cut_share"] == 0.30
    terms = found["hadlock"]["age_coefficients"]["FL"]
    weeks = sum(c * 3.1**power for power, c in enumerate(terms))
    assert weeks == pytest.approx(hadlock.ga_weeks("FL", 31), abs=1e-12)


@pytest.mark.parametrize("text", ["open(g)", "g if g else 1", "g // 2", "'g'"])
def test_what_is_no_arithmetic_is_not_translated(text):
    with pytest.raises(ValueError, match="no translation into JavaScript"):
        javascript(ast.parse(text, mode="eval").body)


def test_bundle_refuses_a_missing_module_and_a_name_defined_twice():
    with pytest.raises(ValueError, match="b.js is imported and is not there"):
        try_it.bundle({"app.js": 'import { b } from "./b.js";\n'})
    texts = {"app.js": 'import { b } from "./b.js";\nconst a = 1;\n', "b.js": "const a = 2;\n"}
    with pytest.raises(ValueError, match="^a: defined in two modules"):
        try_it.bundle(texts)


def test_own_modules_make_one_classic_script():
    texts = {p.name: p.read_text("utf-8") for p in (PROJECT / "book/try_it").glob("*.js")}
    script = try_it.bundle(texts | {"numbers.js": "export const NUMBERS = {}, FORMULAS = {};\n"})
    lines = script.splitlines()
    assert lines[0] == "(() => {" and lines[-1] == "})();"
    assert not [line for line in lines if line.startswith(("import ", "export "))]
    assert script.index("function regionEdge") < script.index("function ellipseFromProbs")


def test_every_source_of_the_page_exists():
    listed = try_it.sources(PROJECT)
    assert [name for name in listed if not (PROJECT / name).is_file()] == []
    assert "fetal_lib/pretrained/biometry/network.onnx" in listed
    assert "book/try_it/app.js" in listed and "fetal_lib/predict/head_measure.py" in listed


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, bytes]:
    """A lock file and its archive, in a project whose cache is empty."""
    monkeypatch.setenv("FETAL_CACHE", str(tmp_path / "cache"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (
            ("a.js", "var ort;\n//# sourceMappingURL=a"),
            ("b.mjs", "b"),
            ("c", "c"),
        ):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    content = packed.getvalue()
    checksum = b64encode(hashlib.sha512(content).digest()).decode()
    lock = {"package": "small", "version": "1.0.0", "licence": "MIT"}
    lock |= {"integrity": f"sha512-{checksum}"}
    lock |= {"files": {"script": "package/a.js", "glue": "package/b.mjs", "wasm": "package/c"}}
    path = tmp_path / "lock.json"
    path.write_text(json.dumps(lock))
    return path, content


def test_runtime_is_fetched_once_and_then_read_from_the_cache(locked, monkeypatch):
    lock, content = locked
    asked = []
    monkeypatch.setattr(npm_package, "fetch_archive", lambda name: asked.append(name) or content)
    assert get_runtime(lock) == get_runtime(lock)
    assert asked == ["small@1.0.0"]
    runtime = get_runtime(lock)
    assert runtime.script == "var ort;" and runtime.wasm == b"c"


def test_changed_archive_is_refused_and_not_kept(locked, monkeypatch, tmp_path):
    lock, content = locked
    monkeypatch.setattr(npm_package, "fetch_archive", lambda name: content + b"x")
    with pytest.raises(UserError, match="small@1.0.0: its SHA-512 is sha512-.* and lock.json"):
        get_runtime(lock)
    assert not (tmp_path / "cache" / "npm").exists()


def test_damaged_archive_in_the_cache_is_fetched_again(locked, monkeypatch, tmp_path):
    lock, content = locked
    kept = tmp_path / "cache" / "npm" / "small-1.0.0.tgz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content[:-5])
    monkeypatch.setattr(npm_package, "fetch_archive", lambda name: content)
    assert get_runtime(lock).glue == "b"
    assert kept.read_bytes() == content


def test_without_npm_the_page_says_how_to_get_it(locked, monkeypatch, tmp_path):
    monkeypatch.setattr(npm_package.shutil, "which", lambda name: None)
    monkeypatch.setattr(try_it, "get_runtime", lambda: get_runtime(locked[0]))
    (tmp_path / "book" / "try_it").mkdir(parents=True)
    missing = try_it.write_try_it(tmp_path)
    assert missing == "npm is not installed. Install Node.js, which brings it."
    page = (tmp_path / "book" / "generated" / "try_it.md").read_text("utf-8")
    assert missing in page and "fetal-lib book try-it" in page and "<script" not in page
    assert not (tmp_path / "book" / "generated" / "static" / "try_it").exists()


def test_missing_converter_is_named_with_the_way_to_get_it(monkeypatch):
    from fetal_lib.models.keras_onnx import network_to_onnx

    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r"pip install 'fetal-lib\[keras,app\]'"):
        network_to_onnx(None)


@pytest.mark.slow
def test_onnx_gives_what_keras_gives():
    pytest.importorskip("tf2onnx")
    from fetal_lib.models.keras_onnx import network_to_onnx
    from fetal_lib.models.unet import get_unet
    from fetal_lib.predict.onnx_network import OnnxNetwork
    from fetal_lib.training.keras_forward import forward

    network = get_unet(64, 96, 8, 0.0)
    images = np.random.default_rng(0).integers(0, 255, (3, 64, 96), np.uint8)
    found = OnnxNetwork(network_to_onnx(network)).forward(images)
    expected = forward(network, images).reshape(found.shape)
    assert np.ptp(expected) > 0.01 and np.abs(found - expected).max() < 5e-3
