"""The conductor's own processes and those of its jobs: who they are, where they come from."""
