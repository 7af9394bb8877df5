"""What a run leaves behind: the journal in its folder is the truth, MLflow shows it."""
