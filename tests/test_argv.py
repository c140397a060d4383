"""The plain reading of a call and typer's must never disagree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import envaudit
from envaudit import cli, typer_app
from envaudit.argv import Option, parameters, parse
from tests.environments import environment

WORDS = [
    *"a.json x:1 - -- -o -ofile --output --output=f --output= --format json xml --format=json".split(),
    *"--fail-on note never --strict --strict=1 --no-strict --drift --timeout 1.5 x --timeout=2".split(),
    *"--pull --python --python=/p -h --help --unknown -x --pip EA101".split(),
    *"m.pkl --model --model=m.pkl --in --run -v --verbose --loader --loader=joblib.load predict --sample=x.npy".split(),
    "",
]


def typer_reading(name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any] | None:
    """What the command would be called with through typer; None where typer refuses or shows help."""
    seen: list[dict[str, Any]] = []

    def record(command: Callable[..., int]) -> Callable[..., int]:
        def stand_in(**values: Any) -> int:
            seen.append(values)
            return 0

        stand_in.__dict__["original"] = command
        return stand_in

    original = typer_app._for_typer

    def with_record(command: Callable[..., int], typer: Any) -> Callable[..., int]:
        run = original(command, typer)
        closure = dict(zip(run.__code__.co_freevars, run.__closure__ or (), strict=True))
        closure["command"].cell_contents = record(command)
        return run

    monkeypatch.setattr(typer_app, "_for_typer", with_record)
    code = cli._run_typer([name, *arguments])
    return seen[0] if seen and code == 0 else None


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_the_plain_reading_agrees_with_typer(name: str) -> None:
    command = cli.COMMANDS[name]
    defaults = dict(
        zip(reversed([item.name for item in parameters(command)]), reversed(command.__defaults__ or ()), strict=False)
    )

    @given(st.lists(st.sampled_from(WORDS), max_size=6))
    def agree(arguments: list[str]) -> None:
        plain = parse(command, arguments)
        if plain is None:
            return  # typer has the word
        with pytest.MonkeyPatch.context() as monkeypatch:
            assert {**defaults, **plain} == typer_reading(name, arguments, monkeypatch)

    agree()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("compare", ["a.json", "b.json"]),
        ("compare", ["a.json", "b.json", "--format", "json", "--fail-on=warning", "--strict"]),
        ("compare", ["--drift", "a.json", "--timeout", "3", "img:1"]),
        ("snapshot", []),
        ("snapshot", ["-o", "train.json"]),
        ("snapshot", [".venv", "--output=train.json", "--pip"]),
        ("snapshot", ["-o", "-"]),
        ("snapshot", ["-o", "train.json", "--model", "m.pkl", "--model=n.pkl", "--sample=X.npy", "--unsafe"]),
        ("compare", ["a.json", "img:1", "--model", "m.pkl", "--model=n.joblib"]),
        ("probe", ["m.pkl"]),
        ("probe", ["m.pkl", "--in", "img:1", "n.pkl", "-v"]),
        ("probe", ["m.pkl", "--in=.venv", "--run", "--sample", "x.npy", "--loader", "joblib.load", "--format=json"]),
        ("explain", ["EA101"]),
    ],
)
def test_usual_calls_need_no_typer(name: str, arguments: list[str]) -> None:
    assert parse(cli.COMMANDS[name], arguments) is not None


def test_words_and_options_that_may_be_repeated_keep_their_order() -> None:
    assert parse(cli.probe, ["a.pkl", "--in", "x", "b.pkl", "a.pkl"]) == {
        "models": ("a.pkl", "b.pkl", "a.pkl"), "target": "x",
    }  # fmt: skip
    assert parse(cli.compare, ["a", "--model", "m", "b", "--model=n"]) == {
        "train": "a", "serve": "b", "model": ("m", "n"),
    }  # fmt: skip
    assert parse(cli.probe, ["--in", "x"]) is None
    assert parse(cli.compare, ["a", "b", "c"]) is None


def test_every_option_has_a_help_and_flags() -> None:
    for command in cli.COMMANDS.values():
        for item in parameters(command):
            assert item.how.help
            if isinstance(item.how, Option):
                assert all(flag.startswith("-") for flag in item.how.flags)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "a.json"], "Missing argument"),
        (["compare", "a", "b", "--format", "xml"], "'xml' is not one of text, json"),
        (["compare", "a", "b", "--unknown"], "No such option"),
        (["nonsense"], "No such command"),
        (["probe", "--in", "x"], "Missing argument"),
        (["probe", "m.pkl", "--loader", "yaml.load"], "'yaml.load' is not one of pickle.load, joblib.load"),
        (["probe", "m.pkl", "--fail-on", "error"], "'error' is not one of load, predict, same, never"),
        (["compare", "a", "b", "--model"], "requires an argument"),
        (["snapshot", "--timeout", "soon"], "timeout"),
        (["snapshot", "--sample"], "requires an argument"),
        (["snapshot", "--model", "m.pkl", "--loader", "yaml.load"], "'yaml.load' is not one of pickle.load"),
    ],
)
def test_a_wrong_call_gets_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("envaudit: error: ")


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["-h"], ["compare", "--help"], ["probe", "--help"], ["snapshot", "-h"]]
)
def test_help_is_typers(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(arguments)
    assert code == (2 if not arguments else 0)
    assert "Usage: envaudit" in "".join(capsys.readouterr())


@pytest.mark.network
@pytest.mark.parametrize("typer", ["typer==0.21.0", "typer==0.28.0", "typer"])
def test_the_oldest_typer_and_the_last_without_pydantic_and_the_newest_serve(typer: str) -> None:
    python = environment(typer, "packaging>=26.1", "deepdiff>=8.6.1", "tomli") / "bin/python"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), "-m", "envaudit", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(envaudit.__file__).parent.parent)},
        )

    for arguments in (["--help"], ["compare", "--help"], ["probe", "--help"], ["snapshot", "-h"]):
        shown = run(*arguments)
        assert shown.returncode == 0
        assert shown.stdout.startswith("Usage: envaudit")
    for arguments in (
        ["compare", "a"],
        ["nonsense"],
        ["compare", "a", "b", "--format", "xml"],
        ["snapshot", "--nonsense"],
    ):
        refused = run(*arguments)
        assert refused.returncode == 2
        assert refused.stderr.startswith("envaudit: error: ")
        assert refused.stderr.count("\n") == 1
