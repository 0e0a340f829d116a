"""kill -9 of each part of a whole site while it works: what fails, what is lost, how soon it heals."""
