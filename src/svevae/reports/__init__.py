"""What a finished pipeline is told by: card, summary, what is kept and recorded."""
