"""One module a data set: from its files to one table of cases."""
