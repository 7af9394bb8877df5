"""What a run's network says of images that it has not seen."""
