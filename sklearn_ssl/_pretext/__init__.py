"""How unlabeled rows give a training signal: corruptions, losses and the tasks made of them."""
