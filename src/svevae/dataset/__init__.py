"""The SVE data contract, importers, splits and batches."""
