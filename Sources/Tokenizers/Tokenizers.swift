// Tokenizers: to be written.
