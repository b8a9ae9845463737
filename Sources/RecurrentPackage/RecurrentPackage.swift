// RecurrentPackage: to be written.
