"""What score, state, run and conductor all speak of: plans, results, texts with their lines."""
