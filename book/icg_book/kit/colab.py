"""Where Colab opens the book: the plain notebooks on the branch that is published."""

BRANCH, FOLDER = "gh-pages", "colab"  # where `make pages` puts them


def colab(repository: str) -> str:
    """The folder of the plain notebooks as Colab opens it, for a repository on GitHub.

    >>> colab("https://github.com/a/b")
    'https://colab.research.google.com/github/a/b/blob/gh-pages/colab/'
    """
    name = repository.rstrip("/").removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{name}/blob/{BRANCH}/{FOLDER}/"
