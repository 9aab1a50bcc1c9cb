"""A pretrained encoder continued under labels."""
