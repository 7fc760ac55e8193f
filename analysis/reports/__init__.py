"""Reports: estimates from arrays, as data that terminal, file and page each render."""
