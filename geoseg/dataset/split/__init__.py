"""Which images train and which judge, so that none is judged by what it was trained on."""
