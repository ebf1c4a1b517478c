"""The one place the version is written: the package, the command and the job server all say this."""

__version__ = "0.1.0"
