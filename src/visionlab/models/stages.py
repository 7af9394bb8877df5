"""The stages of a network: what is frozen, set free or given a learning rate of its own together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

# each part of these is a stage
EXPANDED = ("blocks", "layers", "stages", "features", "dense_stages", "levels", "transformers", "trunk_output")
OPENED = ("backbone", "encoder")  # their parts are as those of the network
HEAD = "head"
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


@dataclass
class Stage:
    """A part of a network.

    Attributes:
        name: as `adapt.freeze=until:NAME` calls it.
        modules: in the order of the network.
        parameters: those of the modules, and of the first stage also those that belong to no module of the network.
    """

    name: str
    modules: list[nn.Module]
    parameters: list[nn.Parameter]


def stages(network: nn.Module) -> list[Stage]:
    """The stages from the images to the head.

    They are the network's submodules in their order, with the parts of those called `blocks`, `layers`, `stages`,
    `features` and the like one by one, and those of a `backbone` or `encoder` without that word. A normalisation
    belongs to the stage before it. What holds no parameters is no stage. The last stage is the submodule called `head`.
    """
    found: list[Stage] = []
    for name, module in _parts(network):
        parameters = list(module.parameters())
        if not parameters:
            continue
        if found and isinstance(module, _NORMS):
            found[-1].modules.append(module)
            found[-1].parameters += parameters
        else:
            found.append(Stage(name, [module], parameters))
    found.sort(key=lambda stage: stage.name == HEAD)
    if found:
        known = {parameter for stage in found for parameter in stage.parameters}
        found[0].parameters += [parameter for parameter in network.parameters() if parameter not in known]
    return found


def _parts(network: nn.Module, inside: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, child in network.named_children():
        if name in OPENED:
            yield from _parts(child, f"{name}.")
        elif name in EXPANDED and len(list(child.children())) > 1:
            yield from ((f"{name}.{part}", module) for part, module in child.named_children())
        else:
            # only the network's own head is the head
            yield (f"{inside}{name}" if name == HEAD else name), child
