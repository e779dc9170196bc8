"""How close a machine is to what it should be: measured in the inspected interpreter, compared with the catalogue."""
