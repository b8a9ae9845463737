// Archives: to be written.
