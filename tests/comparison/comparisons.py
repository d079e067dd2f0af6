"""What the tests of comparisons and of their command share."""


def untimed(plain):
    """What a comparison found, as a dict, but the times."""
    for model in plain["models"]:
        del model["seconds_per_epoch"]
        for run in model["runs"]:
            del run["history"]["seconds"]
    return plain
