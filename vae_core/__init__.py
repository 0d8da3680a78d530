"""Autoencoders and variational autoencoders in plain PyTorch: data, models, losses, training, metrics.

Nothing in here knows of Streamlit or Plotly, so all of it is at home in a notebook.
"""
