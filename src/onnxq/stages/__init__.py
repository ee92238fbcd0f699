"""The verbs, in the order that data passes them: prepare, plan, calibrate, scale, rewrite, verify."""
