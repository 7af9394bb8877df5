from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from visionlab.config.optimizer import AdamWConfig, MuonConfig, OptimizerConfig, SgdConfig
from visionlab.training.optimizers import build_adamw, build_muon, build_sgd

ALL = [SgdConfig(weight_decay=0.1), AdamWConfig(weight_decay=0.1), MuonConfig(weight_decay=0.1)]


class Network(nn.Module):
    """A convolution, a normalisation, two linear layers; a frozen filter and a parameter of three dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(5, 3)
        self.frozen = nn.Conv2d(1, 2, 3, bias=False).requires_grad_(False)
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.position = nn.Parameter(torch.zeros(4, 6, 6))
        self.hidden = nn.Linear(4 * 36, 5)

    def forward(self, images: Tensor) -> Tensor:
        features = self.norm(self.conv(self.frozen(images))) + self.position  # (B, 4, 6, 6)
        return self.head(self.hidden(features.flatten(1)).relu())


class Wrapper(nn.Module):
    """A network inside another module, as in a LightningModule, with an inner part whose name is a trap."""

    def __init__(self) -> None:
        super().__init__()
        self.loss = nn.ModuleDict({"temperature": nn.ModuleDict({"head": nn.Linear(1, 1)})})
        self.network = Network()


def build(config: OptimizerConfig, module: nn.Module) -> Optimizer:
    return config.load_implementation()(config, module)


def settings(optimizer: Optimizer, module: nn.Module, key: str) -> dict[str, float]:
    """The value of a setting for each parameter, by name."""
    names = {parameter: name for name, parameter in module.named_parameters()}
    return {names[p]: group[key] for group in optimizer.param_groups for p in group["params"]}


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.name)
def test_every_trainable_parameter_is_in_one_group(config: OptimizerConfig) -> None:
    network = Network()
    members = [p for group in build(config, network).param_groups for p in group["params"]]
    trainable = [p for p in network.parameters() if p.requires_grad]
    assert len(members) == len(trainable)
    assert set(members) == set(trainable)


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.name)
def test_weight_decay_spares_parameters_of_one_dimension(config: OptimizerConfig) -> None:
    network = Network()
    decay = settings(build(config, network), network, "weight_decay")
    decaying = {"head.weight", "conv.weight", "position", "hidden.weight"}
    assert {name for name, value in decay.items() if value == 0.1} == decaying
    assert {name for name, value in decay.items() if value == 0.0} == decay.keys() - decaying


def test_sgd_and_adamw_take_their_settings() -> None:
    network = Network()
    sgd = build_sgd(SgdConfig(lr=0.3, momentum=0.8, nesterov=False), network)
    assert {(group["lr"], group["momentum"], group["nesterov"]) for group in sgd.param_groups} == {(0.3, 0.8, False)}
    adamw = build_adamw(AdamWConfig(lr=0.2, betas=(0.8, 0.95)), network)
    assert {(group["lr"], group["betas"]) for group in adamw.param_groups} == {(0.2, (0.8, 0.95))}


def test_nesterov_without_momentum_is_plain_descent() -> None:
    layer = nn.Linear(2, 2, bias=False)
    before = layer.weight.detach().clone()
    optimizer = build_sgd(SgdConfig(lr=0.5, momentum=0, weight_decay=0), layer)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), before - 0.5)


@pytest.mark.parametrize(
    ("config", "reference"),
    [
        (SgdConfig(lr=0.1), lambda p: torch.optim.SGD(p, 0.1, 0.9, nesterov=True, foreach=False, fused=False)),
        (AdamWConfig(lr=0.1), lambda p: torch.optim.AdamW(p, 0.1, foreach=False, fused=False)),
    ],
)
def test_fused_steps_on_channels_last_filters_are_those_of_the_plain_loop(
    config: OptimizerConfig, reference: type[Optimizer]
) -> None:
    ours, theirs = (nn.Conv2d(8, 6, 3, bias=False) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    ours.to(memory_format=torch.channels_last)
    optimizers = [
        build(config, ours),
        reference([{"params": theirs.parameters(), "weight_decay": config.weight_decay}]),
    ]
    for seed in range(3):
        images = torch.randn(2, 8, 5, 5, generator=torch.Generator().manual_seed(seed))
        for layer, optimizer in zip([ours, theirs], optimizers, strict=True):
            optimizer.zero_grad()
            layer(images).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prefix", ["", "network."])
def test_muon_orthogonalises_filters_and_matrices_but_not_the_head(prefix: str) -> None:
    module = Wrapper() if prefix else Network()
    orthogonal = settings(build_muon(MuonConfig(), module), module, "orthogonal")
    chosen = {name for name, value in orthogonal.items() if value and name.startswith(prefix)}
    assert chosen == {f"{prefix}conv.weight", f"{prefix}hidden.weight"}


def test_muon_has_rates_of_its_own_for_the_rest() -> None:
    network = Network()
    config = MuonConfig(lr=0.03, momentum=0.7, sgd_lr=0.2, bias_lr=0.4, sgd_momentum=0.8)
    optimizer = build_muon(config, network)
    rates, momenta = settings(optimizer, network, "lr"), settings(optimizer, network, "momentum")
    assert (rates["conv.weight"], momenta["conv.weight"]) == (0.03, 0.7)
    assert {(rates[name], momenta[name]) for name in ("position", "head.weight")} == {(0.2, 0.8)}
    assert {(rates[name], momenta[name]) for name in ("conv.bias", "norm.weight")} == {(0.4, 0.8)}


def test_muon_takes_the_last_linear_layer_for_the_head_where_none_is_named() -> None:
    network = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    orthogonal = settings(build_muon(MuonConfig(), network), network, "orthogonal")
    assert orthogonal == {"0.weight": True, "0.bias": False, "2.weight": False, "2.bias": False}


def test_muon_needs_no_linear_layer() -> None:
    network = nn.Conv2d(1, 3, 3)
    assert settings(build_muon(MuonConfig(), network), network, "orthogonal") == {"weight": True, "bias": False}


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.name)
def test_lightning_trains_with_clipped_gradients_in_mixed_precision(config: OptimizerConfig) -> None:
    import lightning.pytorch as pl

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = Network()
            self.losses: list[float] = []

        def training_step(self, images: Tensor, batch_idx: int) -> Tensor:
            loss = nn.functional.cross_entropy(self.network(images).float(), torch.arange(12) % 3)
            self.losses.append(loss.item())
            return loss

        def configure_optimizers(self) -> object:
            optimizer = build(config, self)
            scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    torch.manual_seed(0)
    module, images = Module(), torch.randn(12, 1, 8, 8)
    trainer = pl.Trainer(
        accelerator="cpu",
        precision="bf16-mixed",
        gradient_clip_val=1.0,
        max_steps=20,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, torch.utils.data.DataLoader([images] * 20, batch_size=None))
    assert module.losses[-1] < 0.95 * module.losses[0]
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(config.lr / 21)
