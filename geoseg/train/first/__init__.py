"""How the first embedded building model was trained: its own loop and its own sources."""
