"""A training's budget of time, its learning rate over it, and how many threads a shared machine leaves for it."""

import os
import time

import torch


class Clock:
    """Counts the minutes that a graphics card works, or that cores compute: what others take of a shared machine is not spent."""

    def __init__(self, minutes, spent=0.0):
        self.budget = minutes * 60
        self.spent = spent
        self.now = time.monotonic if torch.cuda.is_available() else time.process_time
        self.last = self.now()

    def tick(self):
        """To be called after every step. Gives the share of the budget that is spent."""
        now = self.now()
        self.spent += now - self.last
        self.last = now
        return self.share()

    def pause(self):
        """To be called after anything that is not training."""
        self.last = self.now()

    def share(self):
        return min(self.spent / self.budget, 1.0)


def trapezoid(share, step, warm_up=100, decay_from=0.4):
    """The learning rate's factor: up over some steps, level, then down to nearly nothing."""
    down = (1 - share) / (1 - decay_from)
    return min(1.0, (step + 1) / warm_up, max(down, 0.01))


def settle_threads(most):
    """Leaves others a core while they compute; threads that wait for each other on a busy machine are slower than one alone."""
    others = os.getloadavg()[0] - torch.get_num_threads()
    wanted = max(1, min(most, round(os.cpu_count() - others)))
    if wanted != torch.get_num_threads():
        torch.set_num_threads(wanted)
