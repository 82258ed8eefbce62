"""The machine that trains swap models. What to run stands in `training/recipes`."""
