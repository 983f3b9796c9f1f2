"""The parts of the bench: each module's ``run`` gives figures."""
