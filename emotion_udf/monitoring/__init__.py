"""What other systems are told of a night: metrics, a line of JSON, lineage, a webhook. None of it can fail a night."""
