"""Training a pretrained encoder further on labels."""
