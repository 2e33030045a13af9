"""Prints the page of targets: python -m training.targets > docs/targets.md"""

from training.targets.page import catalogue

if __name__ == "__main__":
    print(catalogue(), end="")
