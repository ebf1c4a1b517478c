"""The job server: `job`, `broker`, `session` and `text` are pure; `server` is the shell around them."""
