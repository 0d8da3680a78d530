"""What the pages share: cached loads, controls, figures and the components that run in the browser."""
