"""Edge to engines: each file is the only importer of its engine."""
