"""The conductor's half of an executor on other machines: nodes, who runs what, the bridge."""
