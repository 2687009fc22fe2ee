"""What is learned from ratings."""
