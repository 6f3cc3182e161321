"""Optimizers around optimizers, as people write them."""

from collections import OrderedDict, defaultdict

import torch


class Lookahead(torch.optim.Optimizer):
    """Skips ``Optimizer.__init__`` and makes its own empty hooks, as timm's does."""

    def __init__(self, base_optimizer, alpha=0.5, k=2):
        self._optimizer_step_pre_hooks = OrderedDict()
        self._optimizer_step_post_hooks = OrderedDict()
        self._base_optimizer = base_optimizer
        self.param_groups = base_optimizer.param_groups
        self.defaults = base_optimizer.defaults
        self.state = defaultdict(dict)
        self.alpha, self.k, self.count = alpha, k, 0

    @torch.no_grad()
    def step(self, closure=None):
        loss = self._base_optimizer.step(closure)
        self.count += 1
        for p in self.param_groups[0]["params"]:
            slow = self.state[p].setdefault("slow", p.clone())
            if self.count % self.k == 0:
                p.copy_(slow.lerp_(p, self.alpha))
        return loss


class SAM(torch.optim.Optimizer):
    """Sharpness-aware minimization in the form that everybody copies."""

    def __init__(self, params, base_optimizer, rho=0.05, **kwargs):
        super().__init__(params, {"rho": rho, **kwargs})
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        grads = [p.grad for p in self.param_groups[0]["params"]]
        norm = torch.stack([grad.norm() for grad in grads]).norm()
        for p, grad in zip(self.param_groups[0]["params"], grads, strict=True):
            self.state[p]["old"] = p.clone()
            p.add_(grad * (self.param_groups[0]["rho"] / norm))
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        for p in self.param_groups[0]["params"]:
            p.copy_(self.state[p]["old"])
        self.base_optimizer.step()
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def step(self, closure):
        closure = torch.enable_grad()(closure)
        self.first_step(zero_grad=True)
        closure()
        self.second_step()
