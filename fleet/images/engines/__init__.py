"""The libraries that decode, scale and encode. Each engine is the only place that imports its library."""
