// Safetensors: to be written.
