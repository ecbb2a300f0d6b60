"""Plain objects that several rooms speak of. Knows no room."""
