"""What serves all jobs: the store, the scheduler, the monitor, events, notifications, the parser."""
