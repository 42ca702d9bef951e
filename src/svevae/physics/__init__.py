"""Porous parts, their SVEs and the elastoplastic response of an SVE."""
