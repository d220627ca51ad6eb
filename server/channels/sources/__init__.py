"""Sources: what an ERP says of stock comes in as counts, and what was sold goes back."""
