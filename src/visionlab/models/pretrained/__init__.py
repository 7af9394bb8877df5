"""Networks of timm and torchvision, and the weights that they start from."""
