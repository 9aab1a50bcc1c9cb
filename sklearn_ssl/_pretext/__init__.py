"""How unlabeled rows provide a training signal: corruptions, losses and pretext tasks."""
