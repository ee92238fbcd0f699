"""stub"""

import argparse


def add_options(command: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace) -> None:
    pass
