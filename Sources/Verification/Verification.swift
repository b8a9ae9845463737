// Verification: to be written.
