"""A compiled network learns what an uncompiled one learns. Needs a C++ compiler, as torch.compile does."""

from __future__ import annotations

import shutil

import pytest

from tests.training.test_warm_up import CONFIG
from visionlab.config.load import load_train_config
from visionlab.tracking import journal
from visionlab.training.engine import train


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
def test_a_compiled_network_learns_the_same(home) -> None:  # type: ignore[no-untyped-def]
    found = {}
    for compiled in ("false", "true"):
        run = train(load_train_config([*CONFIG, f"trainer.compile={compiled}", "trainer.log_every=1"]))
        assert run is not None
        values = [record["values"] for record in journal.read(run.journal_file)[0] if record["kind"] == "metrics"]
        found[compiled] = [line["train/loss"] for line in values if "train/loss" in line]
    assert len(found["true"]) > 5
    assert found["true"] == pytest.approx(found["false"], rel=0.02)
    # other code than before, so it is the last bits that tell that something was compiled
    assert found["true"] != found["false"]
