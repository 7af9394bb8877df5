"""Settings of the training loop and of tracking."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from visionlab.config.base import Section


class TrainerConfig(Section):
    """How long, on what, and in which precision to train."""

    max_epochs: int = Field(10, ge=1)
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="how many on each node; auto is all GPUs, or one CPU process, or what torchrun or srun started",
    )
    num_nodes: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="how many machines; more than one need torchrun or srun, and auto is what these say"
    )
    strategy: Literal["auto", "ddp", "ddp_fork"] = Field(
        "auto", description="ddp starts a process for each device, ddp_fork does so from a notebook"
    )
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        "auto", description="auto: bf16-mixed where the hardware gains from it, else 32-true"
    )
    channels_last: bool | Literal["auto"] = Field("auto", description="auto: where the precision is bf16 or 16 bits")
    accumulate: int = Field(
        1,
        ge=1,
        description="parts that a device takes its share of a batch in, one after the other: it needs less memory",
    )
    sync_batch_norm: bool = Field(
        False, description="batch normalisation over the images of all GPUs together, instead of over each GPU's own"
    )
    compile: bool = Field(False, description="torch.compile the network; needs a C++ compiler on a CPU")
    gradient_clip: float | None = Field(None, gt=0, description="greatest norm of all gradients together")
    nonfinite: Literal["stop", "skip"] = Field(
        "stop",
        description="what to do in a step whose loss is NaN or infinite: stop the run, or leave the step out; in "
        "validation images with such outputs then count as wrong",
    )
    ema_decay: float | None = Field(
        None, gt=0, lt=1, description="decay per step of the averaged weights that are tested"
    )
    lookahead: int | None = Field(
        None,
        ge=1,
        description="steps after which the network goes back to weights that follow it slowly (Zhang et al. 2019); "
        "these are tested",
    )
    early_stopping: int | None = Field(None, ge=1, description="stop after this many validations without a gain")
    val_every: int = Field(1, ge=1, description="epochs from one validation to the next; the last is validated anyway")
    log_every: int = Field(10, ge=1, description="steps from one write of the training curve to the next")
    deterministic: bool = Field(False, description="only deterministic algorithms; CPUs do not need it")

    @property
    def world_size(self) -> int:
        """Processes that train together, of a resolved configuration."""
        return int(self.devices) * (1 if self.num_nodes == "auto" else self.num_nodes)

    @model_validator(mode="after")
    def _one_kind_of_slow_weights(self) -> TrainerConfig:
        if self.ema_decay is not None and self.lookahead is not None:
            raise ValueError("lookahead: expected none with ema_decay, as both choose the weights that are tested")
        return self

    @model_validator(mode="after")
    def _half_precision_needs_a_gpu(self) -> TrainerConfig:
        if self.precision == "16-mixed" and self.accelerator == "cpu":
            raise ValueError("precision: 16-mixed needs a GPU; on a CPU use bf16-mixed")
        return self


class TrackingConfig(Section):
    """Where the journal of a run is copied to."""

    name: Literal["mlflow", "off"] = "mlflow"
    uri: str | None = Field(None, description="an MLflow server; by default the database mlruns/mlflow.db")
    experiment: str | None = Field(None, description="the MLflow experiment; by default the name of the data set")
    figures: bool = Field(True, description="draw the pictures and the page of a tested run")
    log_model: bool = Field(
        False, description="make of a tested run a model that MLflow serves, and a version under the run's name"
    )
    system_every: float = Field(10, gt=0, description="seconds between readings of processor, memory and GPU")

    @field_validator("uri")
    @classmethod
    def _address_of_a_server(cls, uri: str | None) -> str | None:
        if uri is None:
            return None
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            hint = "" if "://" in uri or uri.startswith("/") else f"; did you mean http://{uri}?"
            raise ValueError(
                f"expected the address of an MLflow server such as http://localhost:5000, given {uri}{hint}"
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "expected an address without user, password or query, which would be recorded; set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment"
            )
        return uri.rstrip("/")
