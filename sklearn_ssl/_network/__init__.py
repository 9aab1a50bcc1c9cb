"""Networks that read an encoded table: layers, encoder and decoders, the embedding."""
