"""The formats that volumes come in, a module for each family; `svevae.scans.volume` chooses by
suffix.
"""
