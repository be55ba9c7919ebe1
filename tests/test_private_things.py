"""Nothing that is kept tells of a computer or a person: the project's own files are read."""

import subprocess

import pytest
from private_things import ROOT, private_things

KEPT = ("book", "data_manifests", "fetal_lib/pretrained", "notebooks", "workflow", "README.md")


def test_no_kept_file_holds_a_path_a_user_or_a_key():
    listed = subprocess.run(
        ["git", "ls-files", "-z", *KEPT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("no git checkout: which files are kept is not known")
    kept = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert len(kept) > 100
    assert private_things(path for path in kept if path.is_file()) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"data": "/home/somebody/scans"}',
        "in /tmp/fetal-run-1/x",
        r"C:\Users\somebody",
        "-----BEGIN RSA PRIVATE KEY-----",
        'password = "correct horse"',
        str(ROOT),
    ],
)
def test_what_must_not_be_kept_is_found(tmp_path, text):
    (tmp_path / "record.json").write_text(text)
    assert private_things([tmp_path / "record.json"])
