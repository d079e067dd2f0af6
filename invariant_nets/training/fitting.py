"""One fit: epoch after epoch until something ends them, whatever that is."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from invariant_nets._arguments import positive_int
from invariant_nets.ranks import Ranks, join_ranks
from invariant_nets.training.arguments import check_optimizer
from invariant_nets.training.batches import IN_WORDS, Batch, ShardedBatches, check_loader
from invariant_nets.training.data_parallel import DataParallel
from invariant_nets.training.history import Epoch, History
from invariant_nets.training.passes import Passes, Steps
from invariant_nets.training.resuming.checkpoint import CheckpointError
from invariant_nets.training.resuming.state import TrainingState

if TYPE_CHECKING:
    from invariant_nets.training.trainer import Trainer


def fitted(
    trainer: Trainer,
    loaders: Mapping[str, Iterable[Batch]],
    num_epochs: int,
    print_every: int | None,
    early_stopping: int | None,
    checkpoint: str | os.PathLike[str] | None,
    stateless: Sequence[Any],
) -> History:
    """Fit the model of a trainer, as `Trainer.fit` describes; the loaders have their names."""
    model, task, device, optimizer = trainer.model, trainer.task, trainer.device, trainer.optimizer
    _, held_out = (IN_WORDS[name] for name in loaders)
    num_epochs = positive_int("num_epochs", num_epochs)
    print_every = None if print_every is None else positive_int("print_every", print_every)
    patience = None if early_stopping is None else positive_int("early_stopping", early_stopping)
    for name, batches in loaders.items():
        check_loader(name, batches)
    check_optimizer(model, optimizer)
    if not isinstance(stateless, list | tuple):
        raise TypeError(
            f"stateless must be a list of objects, got {type(stateless).__name__}: [it]"
        )

    join_ranks()
    ranks = Ranks(trainer.process_group)
    weighted = task.labels == "classes" and getattr(task.loss_fn, "weight", None) is not None
    if weighted and ranks.size > 1:
        raise ValueError(
            "loss_fn must weigh all labels alike when several ranks train, whose means are put "
            "together by how many labels each has; got weights"
        )
    trainer.history = history = History(score=task.score, held_out=held_out, ideal=task.ideal)
    train_batches, valid_batches = (
        ShardedBatches(batches, ranks, name) for name, batches in loaders.items()
    )
    scaler = torch.amp.GradScaler(device.type, enabled=trainer.autocast == torch.float16)
    parts: dict[str, Any] = {"loss_fn": task.loss_fn}
    parts |= {"scheduler": trainer.scheduler} if trainer.scheduler else {}
    parts |= {"scaler": scaler} if scaler.is_enabled() else {}
    best: dict[str, Any] | None = None
    weights: dict[str, Any] | None = None
    shown = trainer.log and ranks.first
    try:
        with (
            ranks.deferred_interrupt() as interrupted,
            tqdm(total=num_epochs, desc="fit", disable=not shown) as bar,
        ):
            state = TrainingState(
                model,
                optimizer,
                history,
                loaders,
                ranks,
                checkpoint,
                parts,
                stateless,
            )
            passes = Passes(model, task, device, ranks, interrupted, trainer.autocast)
            parallel = DataParallel(model, ranks, device)
            steps = Steps(optimizer, trainer.clip_norm, trainer.scheduler, scaler, trainer.per_step)
            # What the first test would raise is raised before an epoch is spent on training. A
            # whole pass: how much of one that is cut short was drawn depends on the workers.
            with torch.random.fork_rng():
                passes.test(valid_batches, epoch=1)
            best = weights = state.resume()
            bar.initial = bar.n = history.num_epochs
            while not (reason := _reason_to_stop(history, num_epochs, patience)):
                epoch = history.num_epochs + 1
                start = time.perf_counter()
                train = passes.train(train_batches, epoch, parallel, steps)
                valid = passes.test(valid_batches, epoch)
                steps.end_epoch(valid[0])
                seconds = max(ranks.gather([time.perf_counter() - start], device))
                if patience and valid[0] < min(history.valid_loss, default=math.inf):
                    weights = copy.deepcopy(model.state_dict())
                # Side by side, so that an interrupted copy leaves no epoch without its weights.
                history.epochs.append(Epoch(*train, *valid, *seconds))
                best = weights
                state.save(best)
                bar.update()
                if shown:
                    bar.set_postfix(loss=f"{valid[0]:.4f}", score=f"{valid[1]:.3f}")
                    if print_every is not None and epoch % print_every == 0:
                        bar.write(history.line(epoch))
        history.stopped = reason
    except KeyboardInterrupt:
        history.stopped, history.interrupted = "interrupted", True
    except (FloatingPointError, OSError, CheckpointError) as error:
        history.stopped = str(error)
        raise
    finally:
        if best is not None:
            model.load_state_dict(best)
            history.restored_best = True
    return history


def _reason_to_stop(history: History, num_epochs: int, patience: int | None) -> str:
    done = history.num_epochs
    if patience is not None and done - (history.best_epoch or 0) >= patience:
        return f"no lower {history.held_out} loss for {patience} epochs"
    if done > num_epochs:
        return f"{done} epochs done before, more than the {num_epochs} that were asked for"
    return f"all {num_epochs} epochs done" if done == num_epochs else ""
