"""Lightning modules, losses, optimizers, metrics, and the engine that runs them."""
