"""The one kind of error that an author sees: a single line that names the place and the cure."""


class BookError(Exception):
    """A fault in the course map, the configuration or a source file."""

    def __init__(self, where: object, what: str) -> None:
        line = " ".join(f"{where}: {what}".split())
        super().__init__(line)
