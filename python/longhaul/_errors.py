"""What is raised."""


class Error(Exception):
    """Anything that is wrong with a model, with a speed table or with rows."""


class BundleError(Error):
    """A model cannot be loaded: a file is missing, altered, or of another version."""


class SpeedTableError(Error):
    """A speed table cannot be opened: the file is missing, cut off, altered, or of another version."""


class DataError(Error, ValueError):
    """Rows cannot be scored or looked up: columns are missing, or of another type."""
