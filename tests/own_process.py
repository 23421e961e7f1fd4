"""Modules that measure the memory of their process, or fork it, run in one that does nothing else.

One that has run thousands of tests before grows and shrinks by what these have left behind: threads
that end, caches, and free memory that lies scattered. A fork of it would have their locks and their
handlers of signals.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pytest

# Set in the process that a module has to itself.
IN_OWN_PROCESS = "TESTS_IN_OWN_PROCESS"
FAILURES = pytest.StashKey[dict[Path, dict[str, str]]]()


def run_in_own_process(item: pytest.Function) -> bool | None:
    """Run the chosen tests of a module marked `own_process` at its first; fail as this one did."""
    if item.get_closest_marker("own_process") is None or IN_OWN_PROCESS in os.environ:
        return None
    of_modules = item.session.stash.setdefault(FAILURES, {})
    if item.path not in of_modules:
        of_modules[item.path] = _failures(
            [one.nodeid for one in item.session.items if one.path == item.path], item.config
        )
    failures = of_modules[item.path]
    if item.name in failures:
        pytest.fail(failures[item.name], pytrace=False)
    return True


def _failures(nodeids: list[str], config: pytest.Config) -> dict[str, str]:
    """What went wrong, by the test's name; all fail if not each of them was run."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_"))
    }
    with TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--junitxml={report}"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "--basetemp", f"{folder}/temp", *nodeids],
            cwd=config.rootpath,
            env=environ | {IN_OWN_PROCESS: "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        cases = ElementTree.parse(report).findall(".//testcase") if report.exists() else []
    if len(cases) != len(nodeids):
        raise RuntimeError(f"{len(cases)} of {len(nodeids)} tests were run:\n{done.stdout}")
    return {
        case.attrib["name"]: str(case[0].text)
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
