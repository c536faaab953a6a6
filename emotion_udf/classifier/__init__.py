"""The classifier: texts in, six probabilities out. Runs without Spark, Java and pandas.

`artifact` finds and checks a model folder, `tokenizer`, `batching` and `engine` are the three phases of scoring
(texts -> token ids -> index groups -> probabilities), and `classifier` joins them. Importing the package loads
neither torch nor a model.
"""
