"""What pyproject.toml cannot say: a wheel carries data, models and released notebooks."""

from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
CARRIED = ("data", "lab")
LEFT_BY_RUNS = ignore_patterns(".*", "__pycache__", "checkpoints", "downloads")


class WithMaterial(build_py):
    """Build the package with the material in utilities/share; in an editable install it lies beside."""

    def run(self) -> None:
        if self.editable_mode:
            return super().run()
        package = Path(self.build_lib, "utilities")
        rmtree(package, ignore_errors=True)  # what an earlier build has left would go along
        super().run()
        for name in CARRIED:
            copytree(HERE / name, package / "share" / name, ignore=LEFT_BY_RUNS)


class Kit(Distribution):
    """A distribution whose data files an editable install lays in their place, too."""

    def has_data(self) -> bool:
        """Say what setuptools' editable install asks for; elsewhere it asks `has_data_files`."""
        return self.has_data_files()


setup(cmdclass={"build_py": WithMaterial}, distclass=Kit)
