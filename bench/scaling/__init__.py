"""How cost grows with what there is: SKUs, live reservations, workers, lines, calls, channels."""
