"""Networks, one in each file.

A network is an `nn.Module` that is built as ``Network(config, *, in_channels, image_size, num_classes)``, where
`image_size` is (height, width), and that turns normalised images (B, C, H, W) into logits (B, K). Its last layer is
called `head`: Muon leaves that one to SGD. It may have a method `initialize(images)`, which is given training images
(N, C, H, W) once, before the first step.
"""
