"""Fine-tuning and evaluation of the classifier; never imported by the nightly job."""
