"""How state looks to a client. Reads, and decides nothing."""
