"""What the tests of comparisons share."""


def untimed(comparison):
    """All that a comparison found, but the times."""
    plain = comparison.to_dict()
    for model in plain["models"]:
        del model["seconds_per_epoch"]
        for run in model["runs"]:
            del run["history"]["seconds"]
    return plain
