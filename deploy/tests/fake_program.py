"""A program `longhaul` on the PATH that is not the real one, or is."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


class OnPath:
    """While it is open, `longhaul` is the fake one, which ends with these codes; or `real`."""

    def __init__(self, codes: list[int] | None = None, real: str | None = None, **variables: str):
        self.codes, self.real, self.variables = codes, real, variables

    def __enter__(self) -> OnPath:
        self.before = dict(os.environ)
        self.folder = pathlib.Path(tempfile.mkdtemp())
        program = self.real or HERE / "fake_longhaul.sh"
        (self.folder / "longhaul").symlink_to(pathlib.Path(program).resolve())
        calls, ends = self.folder / "calls", self.folder / "ends"
        calls.touch()
        ends.write_text("".join(f"{code}\n" for code in self.codes or []))
        path = f"{self.folder}:{os.environ['PATH']}"
        os.environ.update(PATH=path, CALLS=str(calls), ENDS=str(ends), **self.variables)
        return self

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def __exit__(self, *_) -> None:
        os.environ.clear()
        os.environ.update(self.before)
        shutil.rmtree(self.folder)
