"""Which process this is, by what torchrun, srun or visionlab itself have said; and whether the configuration agrees."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping

import pytest

from tests.config.mistakes import lines
from visionlab import cli
from visionlab.config.load import load_train_config
from visionlab.config.trainer import TrainerConfig
from visionlab.errors import UserError
from visionlab.training import hardware, launch
from visionlab.training.launch import Launch
from visionlab.training.parts import check_settings

Say = Callable[[Mapping[str, object]], None]


def torchrun(rank: int, per_node: int, nodes: int) -> dict[str, object]:
    return {
        "TORCHELASTIC_RUN_ID": "x",
        "RANK": rank,
        "LOCAL_RANK": rank % per_node,
        "GROUP_RANK": rank // per_node,
        "GROUP_WORLD_SIZE": nodes,
        "WORLD_SIZE": per_node * nodes,
        "LOCAL_WORLD_SIZE": per_node,
    }


def srun(rank: int, per_node: int, nodes: int, step: int = 0) -> dict[str, object]:
    return {
        "SLURM_JOB_ID": 17,
        "SLURM_STEP_ID": step,
        "SLURM_PROCID": rank,
        "SLURM_LOCALID": rank % per_node,
        "SLURM_NODEID": rank // per_node,
        "SLURM_NNODES": nodes,
        "SLURM_NTASKS": per_node * nodes,
    }


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Say:
    def set_all(variables: Mapping[str, object]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    return set_all


def test_alone_it_is_the_first_and_only_one() -> None:
    assert launch.current() == Launch("visionlab", 0, 0, 0, 1, 1)


@pytest.mark.parametrize(("by", "variables"), [("torchrun", torchrun), ("srun", srun)])
def test_rank_and_node_are_what_the_launcher_says(
    by: str, variables: Callable[[int, int, int], Mapping[str, object]], say: Say
) -> None:
    say(variables(3, 2, 2))
    found = launch.current()
    assert (found.by, found.rank, found.local_rank, found.node) == (by, 3, 1, 1)
    assert (found.per_node, found.nodes, found.world_size) == (2, 2, 4)


def test_torchrun_inside_a_slurm_job_is_torchrun(say: Say) -> None:
    say(srun(0, 1, 2) | torchrun(1, 4, 2))
    assert launch.current() == Launch("torchrun", 1, 1, 0, 4, 2)


def test_a_process_that_visionlab_started_is_one_of_this_machine(say: Say) -> None:
    say({launch.HUB: "127.0.0.1 1 x", "LOCAL_RANK": 2, "WORLD_SIZE": 3})
    assert launch.current() == Launch("visionlab", 2, 2, 0, 3, 1)


@pytest.mark.parametrize(
    "variables",
    [
        srun(0, 2, 2) | {"SLURM_STEP_ID": ""},  # the batch script, or a job's environment that was taken along
        srun(0, 2, 2) | {"SLURM_STEP_ID": 4294967290},  # the shell of salloc
        srun(0, 2, 2) | {"SLURM_JOB_NAME": "bash"},
        srun(0, 1, 1),
    ],
)
def test_in_a_slurm_job_a_process_that_srun_did_not_multiply_is_alone(
    variables: Mapping[str, object], say: Say
) -> None:
    say(variables)
    assert launch.current() == Launch()


def test_different_numbers_of_processes_on_the_nodes_are_refused(say: Say) -> None:
    say(srun(0, 1, 2) | {"SLURM_NTASKS": 3})
    with pytest.raises(UserError, match="srun: expected the same number of processes on each node, given 3 on 2"):
        launch.current()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"devices": 3}, "trainer.devices: expected auto or 2, as torchrun has started 2 processes .* given 3"),
        ({"num_nodes": 3}, "trainer.num_nodes: expected auto or 4, as torchrun has started 2 processes .* given 3"),
        ({"strategy": "ddp_fork"}, "trainer.strategy: expected auto or ddp, as torchrun starts .* given ddp_fork"),
    ],
)
def test_what_does_not_agree_with_the_launcher_is_refused(given: dict[str, object], line: str, say: Say) -> None:
    say(torchrun(0, 2, 4))
    with pytest.raises(UserError, match=line):
        hardware.resolve(TrainerConfig.model_validate({"accelerator": "cpu", **given}))


@pytest.mark.parametrize("given", [{}, {"devices": 2, "num_nodes": 4}])
def test_devices_and_nodes_are_the_launchers(given: dict[str, int], say: Say) -> None:
    say(torchrun(5, 2, 4))
    found = hardware.resolve(TrainerConfig.model_validate({"accelerator": "cpu", **given}))
    assert (found.devices, found.num_nodes, found.world_size) == (2, 4, 8)


def test_several_nodes_need_a_launcher() -> None:
    with pytest.raises(UserError, match=r"trainer\.num_nodes: expected torchrun or srun .*launch_torchrun\.sh"):
        hardware.resolve(TrainerConfig(accelerator="cpu", num_nodes=2))


def test_a_batch_that_the_processes_of_all_nodes_cannot_share_is_refused_with_the_nearest_sizes(say: Say) -> None:
    say(torchrun(0, 3, 2))
    config = load_train_config(["experiment=digits", "data.batch_size=50", "trainer.accelerator=cpu"])
    config = config.model_copy(update={"trainer": hardware.resolve(config.trainer)})
    expected = r"data\.batch_size: .*6 devices.*given 50; use 48 or 54, or train on 5 or 10 devices"
    with pytest.raises(UserError, match=expected):
        check_settings(config)


def test_a_run_goes_on_with_the_processes_that_there_are_now(say: Say) -> None:
    before = TrainerConfig(devices=4, num_nodes=2)
    assert launch.as_started_here(before) == TrainerConfig(devices=4)
    say(torchrun(0, 2, 1))
    assert launch.as_started_here(before) == TrainerConfig()


def test_commands_whose_work_is_not_shared_are_refused(say: Say, capsys: pytest.CaptureFixture[str]) -> None:
    say(torchrun(0, 2, 1))
    with pytest.raises(SystemExit) as left:
        cli.main(["runs"])
    assert left.value.code == 2
    assert "visionlab: runs: expected one process, as only train, resume, reproduce" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("auto", {}),
        ("cpu", {"accelerator": "cpu", "devices": 1}),
        ("gpu", {"accelerator": "gpu", "devices": 1}),
        ("ddp", {"accelerator": "gpu"}),
        ("ddp_cpu", {"accelerator": "cpu", "devices": 2}),
        ("slurm", {"accelerator": "gpu"}),
    ],
)
def test_the_presets(name: str, expected: dict[str, object]) -> None:
    found = load_train_config(["experiment=digits", f"trainer={name}"]).trainer
    plain = load_train_config(["experiment=digits"]).trainer
    assert found == plain.model_copy(update=expected)


def test_a_preset_that_is_not_there_is_named_with_those_that_are() -> None:
    (line,) = lines("experiment=digits", "trainer=ddp_gpu")
    assert line.startswith("trainer: expected one of auto, cpu, ddp, ddp_cpu, gpu, slurm, given 'ddp_gpu'")


def test_where_there_is_no_command_to_start_others_with_they_are_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))  # as in a notebook
    config = TrainerConfig(accelerator="cpu", devices=2)
    with pytest.raises(UserError, match=r"trainer\.strategy: expected ddp_fork for 2 devices in a notebook"):
        hardware.resolve(config)
    assert hardware.resolve(config.model_copy(update={"strategy": "ddp_fork"})).devices == 2
    assert hardware.resolve(config.model_copy(update={"devices": 1})).devices == 1
