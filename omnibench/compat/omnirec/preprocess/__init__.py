"""Steps from dataset to dataset."""
