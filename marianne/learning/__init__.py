"""What is learned from how jobs end, as pure rules: outcomes, estimates, diversity.

The actor that feeds them is :mod:`marianne.daemon.services.learning`.
"""
