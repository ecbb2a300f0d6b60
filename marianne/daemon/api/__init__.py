"""What clients ask: the socket, one handler a verb, several jobs meant by one request."""
