"""The stages of dvc.yaml, one module each; they meet through files alone."""
