"""From a source to validated rows: sources, batches, quarantine, expectations, samples."""
