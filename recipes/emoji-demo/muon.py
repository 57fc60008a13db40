"""Muon (Jordan et al. 2024) for matrices and convolutions, AdamW for everything else.

Muon moves every direction of a matrix equally far, so that what is shown rarely is learned as fast as what is shown often:
just what a model needs that has to know a thousand pictures by heart.
"""

import torch

STEPS = ((3.4445, -4.7750, 2.0315),) * 5


def orthogonal(batch):
    """The nearest orthogonal matrices of `[n, rows, columns]`, nearly (Newton–Schulz)."""
    x = batch.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for a, b, c in STEPS:
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.transpose(1, 2) if tall else x).float()


class Muon(torch.optim.Optimizer):
    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for parameter in group["params"]:
                shape = (parameter.shape[0], parameter[0].numel())
                by_shape.setdefault(shape, []).append(parameter)
            for (rows, columns), parameters in by_shape.items():
                self.move(group, parameters, max(1, rows / columns) ** 0.5)

    def move(self, group, parameters, scale):
        updates = []
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
            updates.append(parameter.grad.lerp(state["momentum"], group["momentum"]).flatten(1))
        for parameter, update in zip(parameters, orthogonal(torch.stack(updates))):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update.view(parameter.shape), alpha=-group["lr"] * scale)


class Optimizers:
    """Muon and AdamW side by side, with a common schedule."""

    def __init__(self, model, muon_lr, adam_lr, is_muon, weight_decay=0.0):
        named = list(model.named_parameters())
        matrices = [p for name, p in named if p.ndim >= 2 and is_muon(name)]
        others = [p for name, p in named if p.ndim < 2 or not is_muon(name)]
        self.all = [
            Muon(matrices, lr=muon_lr, weight_decay=weight_decay),
            torch.optim.AdamW(others, lr=adam_lr, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        self.highest = [muon_lr, adam_lr]

    def step(self, factor):
        for optimizer, highest in zip(self.all, self.highest):
            for group in optimizer.param_groups:
                group["lr"] = highest * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self):
        return [optimizer.state_dict() for optimizer in self.all]

    def load_state_dict(self, states):
        for optimizer, state in zip(self.all, states):
            optimizer.load_state_dict(state)
