"""What the author's commands are made of: pure functions in the middle, files at the edge."""
