"""The six emotions and their order, which every model, table and picture of this project follows."""

from typing import Final

EMOTIONS: Final = ("sadness", "joy", "love", "anger", "fear", "surprise")
"""Label names; the index is the label id of dair-ai/emotion (Saravia et al., CARER, EMNLP 2018)."""
