// Transformer: to be written.
