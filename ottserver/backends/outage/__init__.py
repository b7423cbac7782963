"""Guards in front of backends that may be away: the rest of the house goes on, and says so in metrics."""
