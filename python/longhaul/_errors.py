"""What is raised."""


class Error(Exception):
    """Anything that is wrong with a model or with rows."""


class BundleError(Error):
    """A model cannot be loaded: a file is missing, altered, or of another version."""


class DataError(Error, ValueError):
    """Rows cannot be scored: columns are missing, or of another type than the model's features."""
