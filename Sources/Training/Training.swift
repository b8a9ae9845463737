// Training: to be written.
