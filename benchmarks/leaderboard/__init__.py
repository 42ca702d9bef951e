"""A public benchmark: elastoplastic properties of porous SVEs of ten kinds, two of which nobody
trains on. README.md has the rules and the table.
"""
