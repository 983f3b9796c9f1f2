"""Labels of any form to a data set."""
