"""What is done to pictures without a network: noise, filters, other sizes, other colours."""
