"""What serves all jobs: store, scheduler, monitor, events, notifications, parser."""
