"""One admitted job: its state machine, and the actor that carries it."""
