"""Other people's data: volumes, slices, tables and result files, read into the contract."""
