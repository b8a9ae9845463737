// TorchArchive: to be written.
