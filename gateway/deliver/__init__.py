"""Ways out. One destination a file; table.py names them; lanes.py drives them; contract.py is what each obeys."""
