// Recurrence: to be written.
