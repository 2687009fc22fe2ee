"""Where a model is trained: this machine by `fit` of the models themselves, a cluster by `engines.spark`."""
