// GGUF: to be written.
