"""Fitted state as plain data, and the file that holds it."""
