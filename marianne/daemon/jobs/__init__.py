"""All jobs of a conductor: who comes in, who is admitted, what a person wishes of them."""
