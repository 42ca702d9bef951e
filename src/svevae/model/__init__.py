"""Encoder, decoder, predictor; their losses, training and metrics."""
