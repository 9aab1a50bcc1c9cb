"""The one training loop, what hangs on it, and the state that it leaves on disk."""
