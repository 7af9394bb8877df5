"""Settings of what is recorded of each layer."""

from __future__ import annotations

from pydantic import Field

from visionlab.config.base import Section


class DiagnosticsConfig(Section):
    """What is recorded of each layer, in the first step and in every so many steps after it."""

    gradients: bool = Field(False, description="the norms of each layer's gradient and weights")
    activations: bool = Field(
        False,
        description="of what each layer puts out mean, standard deviation and share of zeros; and what dropout drops",
    )
    every: int = Field(50, ge=1, description="steps from one record to the next")
