"""What pyproject.toml cannot say: a wheel carries the project's other folders too."""

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithProject(build_py):
    """Packages, and beside them notebooks, workflow, book and manifests of data sets."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # the checkout itself has them
            return
        built = Path(self.build_lib)
        files = runpy.run_path(str(HERE / "fetal_book" / "parameters" / "project_files.py"))
        shutil.rmtree(built / "fetal_book" / "project", ignore_errors=True)
        files["copy_project"](HERE, built / "fetal_book" / "project")
        manifests = built / "fetal_lib" / "data_manifests"
        shutil.copytree(HERE / "data_manifests", manifests, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithProject})
