"""`visionlab reproduce`: the same run again is equal to the last bit; what is not the same is named and judged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.training.test_launch import torchrun
from visionlab import cli, project
from visionlab.config.load import load_train_config
from visionlab.config.resolved import change_config
from visionlab.data.datamodule import Raw
from visionlab.data.digits import Digits
from visionlab.errors import DataUnavailableError, InterruptedRun, UserError
from visionlab.tracking.catalog import all_runs
from visionlab.tracking.run import Run
from visionlab.training import engine

CONFIG = [
    "experiment=digits",
    "model=mlp",
    "model.hidden=[16]",
    "model.dropout=0.1",
    "data.fraction=0.35",
    "data.augment.translate=1",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "tracking=off",
    "tracking.figures=false",
]
Command = Callable[..., None]
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was trained once for all tests."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONLAB_HOME", str(folder))
        run = engine.train(load_train_config(CONFIG))
        assert run is not None
    return run.path


@pytest.fixture
def original(trained: Path, home: Path) -> Run:
    return Run(Path(shutil.copytree(trained, project.runs() / trained.name)))


def rewrite_start(run: Run, params: dict[str, Any] | None = None, tags: dict[str, str | None] | None = None) -> None:
    """Have a run say that it began otherwise; None takes a tag away."""
    first, *rest = run.journal_file.read_text().splitlines()
    start = json.loads(first)
    start["params"] |= params or {}
    start["tags"] = {name: value for name, value in (start["tags"] | (tags or {})).items() if value is not None}
    run.journal_file.write_text("\n".join([json.dumps(start), *rest]) + "\n")


def reproduce(command: Command, capsys: Output, *words: str) -> tuple[dict[str, Any], int]:
    """The object that it prints, and the exit code."""
    capsys.readouterr()
    code = 0
    try:
        command("reproduce", *words, "--json")
    except SystemExit as left:
        code = int(left.code or 0)
    return json.loads(capsys.readouterr().out), code


def verdicts(content: dict[str, Any]) -> set[str]:
    return {metric["verdict"] for metric in content["metrics"]}


def differing(content: dict[str, Any]) -> list[str]:
    return [row["name"] for row in content["circumstances"] if not row["same"]]


def test_the_same_run_again_is_equal_to_the_last_bit(original: Run, command: Command, capsys: Output) -> None:
    content, code = reproduce(command, capsys, original.id)
    assert code == 0
    assert differing(content) == []
    assert (content["verdict"], verdicts(content)) == ("equal", {"equal"})
    assert content["weights_equal"] == {"chosen": True, "last": True}
    assert content["parting"] is None
    assert content["points"] > 10
    (test,) = content["images"]
    assert (test["split"], test["changed"], test["furthest"]) == ("test", 0, 0)
    assert {metric["split"] for metric in content["metrics"]} == {"validation", "test"}
    made = Run(project.runs() / content["reproduction"])
    assert made.id.endswith(f"-reproduces-{original.id}")
    assert made.start()["tags"]["reproduces"] == original.id
    assert json.loads((made.path / "reproduction.json").read_text()) == content


def test_an_edited_setting_is_named_and_its_results_are_different(
    original: Run, command: Command, capsys: Output
) -> None:
    original.save_config(change_config(original.config(), ["seed=1", "optimizer.lr=0.001"], None))
    content, code = reproduce(command, capsys, original.id)
    assert code == 1
    assert differing(content) == ["first weights", "seed", "optimizer.lr"]
    assert content["verdict"] == "different"
    assert content["tolerance_because"] == []
    assert all(metric["tolerated"] is None for metric in content["metrics"])
    assert content["weights_equal"] == {"chosen": False, "last": False}
    assert content["parting"]["original"] != content["parting"]["reproduction"]
    assert content["images"][0]["changed"] > 0


def test_another_machine_and_other_code_are_named_and_excuse_what_is_within_the_interval(
    original: Run, command: Command, capsys: Output
) -> None:
    rewrite_start(original, tags={"code": "0" * 16, "hardware": "another processor, 64 cores", "torch": "2.14.0"})
    report = original.report()
    images, loss = sum(map(sum, report["confusion"])), report["test"]["loss"]
    # as if the original had had one image more, and the loss been ten times as small
    report["test"] |= {"accuracy": report["test"]["accuracy"] + 1 / images, "loss": loss / 10}
    original.add_to_report(test=report["test"])
    content, code = reproduce(command, capsys, original.id)
    assert (content["verdict"], code) == ("different", 1)
    assert differing(content) == ["code", "torch", "hardware"]
    assert content["tolerance_because"] == ["other code", "other torch", "other hardware"]
    found = {metric["name"]: metric["verdict"] for metric in content["metrics"] if metric["split"] == "test"}
    assert (found["accuracy"], found["loss"], found["recall"]) == ("within tolerance", "different", "equal")
    original.add_to_report(test=report["test"] | {"loss": loss})
    content, code = reproduce(command, capsys, original.id, "--against", content["reproduction"])
    assert (content["verdict"], code) == ("within tolerance", 0)


def test_the_check_trains_nothing_and_says_by_its_exit_code_whether_anything_differs(
    original: Run, command: Command, capsys: Output
) -> None:
    content, code = reproduce(command, capsys, original.id, "--check")
    assert (code, differing(content)) == (0, [])
    assert "verdict" not in content
    rewrite_start(original, tags={"lock": "0" * 16, "git.commit": "0" * 40, "threads": None})
    content, code = reproduce(command, capsys, original.id, "--check")
    assert code == 1
    assert {"lock", "threads"} <= set(differing(content))
    assert len(all_runs(project.runs())) == 1


def test_the_table_says_same_or_what_it_is_now(original: Run, command: Command, capsys: Output) -> None:
    rewrite_start(original, tags={"python": "2.7.18", "threads": None})
    with pytest.raises(SystemExit):
        command("reproduce", original.id, "--check")
    lines = {line.split("  ")[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert lines["python"][1] == "2.7.18"
    assert lines["python"][2][:2] == "3."
    assert lines["torch"][-1] == "same"
    assert lines["threads"] == ["threads", "not", "recorded", str(torch.get_num_threads())]
    assert "differs: python, threads" in lines


def with_one_pixel_changed(read: Callable[[Digits], Raw]) -> Callable[[Digits], Raw]:
    def changed(self: Digits) -> Raw:
        raw = read(self)
        raw.train.images[0, 0, 0, 0] ^= 1
        return raw

    return changed


def test_other_data_is_refused_with_a_line_unless_it_is_wanted_anyway(
    original: Run, command: Command, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Digits, "read", with_one_pixel_changed(Digits.read))
    with pytest.raises(UserError, match=r"found other data.*--anyway") as raised:
        command("reproduce", original.id)
    assert "\n" not in str(raised.value)
    assert len(all_runs(project.runs())) == 1
    assert "differs: data" in capsys.readouterr().out
    content, code = reproduce(command, capsys, original.id, "--anyway")
    assert "data" in differing(content)
    assert content["tolerance_because"] == []
    assert code == (content["verdict"] == "different")


def test_data_that_is_gone_is_answered_with_its_line(
    original: Run, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Digits) -> Raw:
        raise DataUnavailableError("data.root: expected images in /nowhere, found none")

    monkeypatch.setattr(Digits, "read", gone)
    with pytest.raises(UserError, match=r"^data\.root: expected images in /nowhere, found none$"):
        command("reproduce", original.id, "--check")


def test_a_run_from_a_machine_with_gpus_is_trained_on_what_is_here(
    original: Run, command: Command, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    there = {"accelerator": "gpu", "devices": 2, "precision": "16-mixed"}
    config = original.config()
    original.save_config(config.model_copy(update={"trainer": config.trainer.model_copy(update=there)}))
    rewrite_start(
        original, {f"trainer.{name}": value for name, value in there.items()}, {"hardware": "2 x NVIDIA H100"}
    )
    content, _ = reproduce(command, capsys, original.id)
    assert differing(content) == ["hardware", "device", "precision"]
    assert content["tolerance_because"][:3] == ["other hardware", "other device", "other precision"]
    made = Run(project.runs() / content["reproduction"])
    assert (made.config().trainer.accelerator, made.config().trainer.devices) == ("cpu", 1)


def test_threads_are_as_many_as_the_run_had(original: Run, command: Command, capsys: Output) -> None:
    before = torch.get_num_threads()
    rewrite_start(original, tags={"threads": str(before + 1)})
    try:
        content, _ = reproduce(command, capsys, original.id, "--check")
    finally:
        torch.set_num_threads(before)
    assert differing(content) == []


def test_a_run_that_went_on_with_other_settings_is_trained_with_those_of_its_end(
    original: Run, command: Command, capsys: Output
) -> None:
    engine.resume(original, change_config(original.config(), ["trainer.max_epochs=3"], None))
    content, _ = reproduce(command, capsys, original.id)
    assert content["resumed"] == {"trainer.max_epochs": "2 -> 3"}
    assert differing(content) == []
    assert content["tolerance_because"] == ["resumed with other settings (trainer.max_epochs)"]
    assert Run(project.runs() / content["reproduction"]).config().trainer.max_epochs == 3


def test_a_run_of_a_campaign_is_compared_by_validation_and_its_reproduction_never_sees_the_test_set(
    original: Run, command: Command, capsys: Output
) -> None:
    rewrite_start(original, tags={"campaign": "search"})
    lines = original.journal_file.read_text().splitlines()
    kept = [line for line in lines if json.loads(line).get("context") != "test"]
    first = json.dumps(json.loads(kept[0]) | {"campaign": "search", "title": "000"})
    original.journal_file.write_text("\n".join([first, *kept[1:]]) + "\n")
    report = original.report()
    (original.path / "report.json").write_text(json.dumps({"validation": report["validation"]}))
    content, code = reproduce(command, capsys, original.id)
    assert (code, content["verdict"], content["tested"]) == (0, "equal", False)
    assert {metric["split"] for metric in content["metrics"]} == {"validation"}
    made = Run(project.runs() / content["reproduction"])
    assert "test" not in made.report()
    assert not (made.path / "predictions.npz").exists()
    assert (made.path / "validation_predictions.npz").exists()
    with pytest.raises(UserError, match=f"{made.id}: reproduces {original.id}, a run of the campaign search"):
        command("test", made.id)
    # nor when it goes on
    engine.resume(made, change_config(made.config(), ["trainer.max_epochs=3"], None))
    assert "test" not in made.report()


def test_other_weights_to_begin_with_are_refused_unless_they_are_wanted_anyway(
    original: Run, command: Command, capsys: Output
) -> None:
    child = engine.train(load_train_config([*CONFIG, f"model.init_from={original.id}", "trainer.max_epochs=1"]))
    assert child is not None
    content, code = reproduce(command, capsys, child.id, "--check")
    assert (code, differing(content)) == (0, [])
    engine.resume(original, change_config(original.config(), ["trainer.max_epochs=3"], None))
    with pytest.raises(UserError, match="found other first weights"):
        command("reproduce", child.id)
    shutil.rmtree(original.path)
    with pytest.raises(UserError, match=r"^model\.init_from: run '.*': expected a run id"):
        command("reproduce", child.id)


def test_a_stopped_reproduction_says_how_to_compare_when_it_has_gone_on(
    original: Run, command: Command, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = engine.fit

    def stopped(*arguments: Any) -> Path:
        raise InterruptedRun(15)

    monkeypatch.setattr(engine, "fit", stopped)
    with pytest.raises(InterruptedRun):
        command("reproduce", original.id)
    made = all_runs(project.runs())[-1]
    assert f"`visionlab reproduce {original.id} --against {made.id}`" in capsys.readouterr().out
    with pytest.raises(UserError, match=f"{made.id} is KILLED"):
        command("reproduce", original.id, "--against", made.id)
    monkeypatch.setattr(engine, "fit", fit)
    engine.resume(made, made.config())
    content, code = reproduce(command, capsys, original.id, "--against", made.id)
    assert (code, content["verdict"], content["reproduction"]) == (0, "equal", made.id)


def test_what_cannot_be_reproduced_is_answered_with_a_line(
    make_run: Callable[..., Run], make_campaign: Callable[..., Run], command: Command
) -> None:
    make_campaign("search")
    member = make_run(status="KILLED", campaign="search")
    for name, why in {
        "search": "given a campaign; reproduce one of its runs",
        "nothing": "expected a run id",
        make_run(status="FAILED").id: "this one is FAILED; `visionlab resume .*` goes on with it",
        make_run(status=None).id: "this one is KILLED",
        member.id: "its campaign search goes on",
    }.items():
        with pytest.raises(UserError, match=why) as raised:
            command("reproduce", name)
        assert "\n" not in str(raised.value)
    run = make_run(right=300)
    with pytest.raises(UserError, match="expected another run than the original"):
        command("reproduce", run.id, "--against", run.id)


def test_what_cannot_be_reproduced_is_said_before_torch_is_imported(make_run: Callable[..., Run]) -> None:
    code = (
        "import sys\nfrom visionlab.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as left: print(left.code, 'torch' in sys.modules)"
    )
    words = [sys.executable, "-c", code, "reproduce", make_run(status="FAILED").id]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "2 False\n"
    assert "expected a run that has finished" in done.stderr


def test_another_process_than_the_first_looks_for_nothing_and_is_told(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined: list[int] = []
    monkeypatch.setattr(engine, "join", lambda: joined.append(1))
    for name, value in torchrun(1, 2, 1).items():
        monkeypatch.setenv(name, str(value))
    command("reproduce", "last")  # there is none, or it is the new run by now
    assert joined == [1]
    command("reproduce", "last", "--check")
    command("reproduce", "last", "--against", "best")
    assert joined == [1]  # nothing is trained


def edit_settings(run: Run, edit: Callable[[dict[str, Any]], None]) -> None:
    file = run.path / "config.yaml"
    values = yaml.safe_load(file.read_text())
    edit(values)
    file.write_text(yaml.safe_dump(values))


def test_settings_that_have_come_since_take_their_defaults_and_are_named(
    original: Run, command: Command, capsys: Output
) -> None:
    def edit(values: dict[str, Any]) -> None:
        del values["trainer"]["ema_decay"], values["data"]["sampler"]

    edit_settings(original, edit)
    content, code = reproduce(command, capsys, original.id)
    assert (content["verdict"], code) == ("equal", 0)
    assert differing(content) == ["data.sampler", "trainer.ema_decay"]
    rows = {row["name"]: row for row in content["circumstances"]}
    assert (rows["data.sampler"]["then"], rows["data.sampler"]["now"]) == (None, "shuffle")
    assert content["tolerance_because"] == ["data.sampler not recorded", "trainer.ema_decay not recorded"]
    with pytest.raises(SystemExit):
        command("reproduce", original.id, "--check")
    said = capsys.readouterr().out
    assert "lacks 2 settings of this version, not recorded below: today's defaults are taken\n" in said
    assert "differs: data.sampler, trainer.ema_decay\n" in said


def test_settings_that_are_no_more_are_answered_with_one_line(
    original: Run, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(values: dict[str, Any]) -> None:
        values["trainer"]["warp"] = 9
        values["model"]["hidden_units"] = [16]

    edit_settings(original, edit)
    rewrite_start(original, tags={"visionlab": "0.0.1", "git.commit": "a" * 40})
    with pytest.raises(SystemExit) as left:
        cli.main(["reproduce", original.id])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"visionlab: {original.id}: expected settings that this version of visionlab has")
    assert "config.yaml is of 0.0.1, commit aaaaaaaaaaaa: " in line
    assert "trainer.warp: expected a known setting" in line
    assert "model.hidden_units: expected a known setting" in line


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [[], ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]])
def test_a_run_of_two_processes_is_reproduced_by_two_processes(launcher: list[str]) -> None:
    """`last` would mean another run in the second process, which begins when the first one has made its run."""

    def visionlab(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *launcher, "visionlab", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return done

    options = [word for word in CONFIG if not word.startswith("trainer.max_epochs")]
    visionlab("train", *options, "trainer.devices=2", "trainer.max_epochs=1")
    done = visionlab("reproduce", "last", "--json")
    content = json.loads(done.stdout)
    assert content["verdict"] == "equal"
    assert differing(content) == []
    assert done.stderr.count("everything is the same") == 1
