"""The command `arena`: parse options, call the packages below, print the results."""
