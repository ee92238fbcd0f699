"""The nouns: frozen values that travel between stages. numpy and the standard library only."""
