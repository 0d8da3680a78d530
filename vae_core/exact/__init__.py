"""Models small enough to be solved exactly: what is only estimated elsewhere is computed here, by quadrature."""
