"""The cache of phantom sets: made once, made anew after an interruption, safe for two at once."""

import pytest

from fetal_book.runs.data_sets import cached_phantoms

SPEC = {"kind": "dots", "seed": 1}


def dots(folder):
    (folder / "dot.txt").write_text("dot")


def test_a_set_is_made_once_for_one_spec(tmp_path):
    calls = []

    def counted(folder):
        calls.append(folder)
        dots(folder)

    first = cached_phantoms(counted, SPEC, tmp_path)
    assert cached_phantoms(counted, SPEC, tmp_path) == first and len(calls) == 1
    assert cached_phantoms(counted, SPEC | {"seed": 2}, tmp_path) != first
    assert sorted(path.name for path in first.iterdir()) == ["complete.json", "dot.txt"]


def test_a_set_that_was_interrupted_is_made_anew(tmp_path):
    def cut(folder):
        dots(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_phantoms(cut, SPEC, tmp_path)
    assert not list((tmp_path / "phantoms").iterdir())
    folder = cached_phantoms(dots, SPEC, tmp_path)
    (folder / "complete.json").unlink()  # as an older version left it when it was killed
    (folder / "half.txt").write_text("half")
    again = cached_phantoms(dots, SPEC, tmp_path)
    assert again == folder and not (folder / "half.txt").exists()


def test_of_two_that_write_at_once_the_first_is_kept(tmp_path):
    def overtaken(folder):
        cached_phantoms(lambda other: (other / "dot.txt").write_text("first"), SPEC, tmp_path)
        dots(folder)

    with pytest.MonkeyPatch.context() as patch:
        pids = iter(range(10, 20))
        patch.setattr("fetal_book.runs.data_sets.os.getpid", lambda: next(pids))
        folder = cached_phantoms(overtaken, SPEC, tmp_path)
    assert (folder / "dot.txt").read_text() == "first"
    assert [path.name for path in (tmp_path / "phantoms").iterdir()] == [folder.name]
