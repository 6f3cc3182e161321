"""The handle: what ``attach`` returns, and what runs before and after every step."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch._compile import _disable_dynamo

from cdg_theory import Metric
from cdg_torch.attachment import copies
from cdg_torch.attachment.buffers import Buffers
from cdg_torch.attachment.decay import coupled_decay, kept_fraction, match_norms, norms_of
from cdg_torch.attachment.lists import transform_list
from cdg_torch.attachment.refusals import parameters_of
from cdg_torch.attachment.report import Report, make_report
from cdg_torch.attachment.selection import Action, Entry, Plan, make_plan
from cdg_torch.attachment.statistics import Statistics, TensorStatistics
from cdg_torch.checkpoints import saved_metrics

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from cdg_torch.attachment.rules import Rule

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the transform is applied; the arguments of :func:`cdg_torch.attach` say what each is."""

    inplace: bool = False
    where: Literal["gradient", "update"] = "gradient"
    match_norm: bool = False
    transform_decay: bool = False
    require_gradients: bool = True
    stats: bool = False


class _Sent(NamedTuple):
    """A gradient handed to the optimizer in place of the raw one (None: overwritten)."""

    parameter: Tensor
    raw: Tensor | None
    sent: Tensor
    version: int


class _Saved(NamedTuple):
    """A parameter as it was before the step, for ``where="update"``."""

    parameter: Tensor
    before: Tensor
    kept: float | Tensor
    action: Action
    name: str


class _Job(NamedTuple):
    parameter: Tensor
    group: Mapping[str, Any]
    entry: Entry
    action: Action


def _widened(tensor: Tensor | None) -> Tensor:
    """Return a gradient in double precision."""
    assert tensor is not None
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _whole(tensor: Tensor) -> Tensor:
    """Return a number that ranks hold in parts as one number on each of them."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


class Handle:
    """An attached metric. Made by :func:`cdg_torch.attach`.

    ==================  ====================================================================
    ``rules``           the rules in the order tried; the last is the one for ``metric``
    ``metric``          the metric of the last rule; assign it to change it
    ``report()``        what the metric acts on, and why the rest is left alone
    ``apply_()``        transform now instead of in the step, to clip afterwards
    ``dual_norm()``     the length of the gradient in the metric, for clipping
    ``stats()``         norms and correlations of the last step, if asked for
    ``detach()``        leave the optimizer as it was
    ``state_dict()``    the metrics in force, for a checkpoint
    ==================  ====================================================================
    """

    def __init__(
        self, optimizer: Optimizer, model: nn.Module, rules: Sequence[Rule], options: Options
    ) -> None:
        self._fill(model, rules, options)
        self._install(optimizer)

    def _fill(self, model: nn.Module, rules: Sequence[Rule], options: Options) -> None:
        self.model = model
        self.rules = tuple(rules)
        self.options = options
        self._plan: Plan | None = None
        self._statistics = Statistics()
        self._buffers = Buffers()
        self._sent: list[_Sent] = []
        self._saved: list[_Saved] = []
        self._applied = False
        self._unused_closure = False
        self._depth = 0

    def _install(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self._hooks = (
            optimizer.register_step_pre_hook(self._before_step),
            optimizer.register_step_post_hook(self._after_step),
        )
        copies.install(optimizer, self)
        optimizer._cdg_handle = self  # type: ignore[attr-defined]

    # ---- what the user calls

    @property
    def metric(self) -> Metric | None:
        """The metric of the last rule, given as ``metric`` to ``attach``; may be assigned."""
        return self.rules[-1].metric

    @metric.setter
    def metric(self, metric: Metric | None) -> None:
        self.rules[-1].metric = metric

    @property
    def is_attached(self) -> bool:
        """Whether the handle still acts on its optimizer."""
        return getattr(self.optimizer, "_cdg_handle", None) is self

    def __repr__(self) -> str:
        state = self.report().summary if self.is_attached else "detached"
        return f"<channel-directed gradients on {type(self.optimizer).__name__}: {state}>"

    def report(self) -> Report:
        """Return what the metric acts on now, and why the rest is left alone; ``print`` it."""
        return make_report(self.optimizer, self._current_plan(refresh=True))

    def detach(self) -> None:
        """Leave the optimizer as it was before; a second call does nothing.

        Gradients that :meth:`apply_` has transformed and no step has used become raw again.
        """
        if not self.is_attached:
            return
        self._settle()
        for hook in self._hooks:
            hook.remove()
        copies.uninstall(self.optimizer)
        self._buffers = Buffers()
        del self.optimizer._cdg_handle  # type: ignore[attr-defined]

    def apply_(self) -> None:
        """Transform the gradients now; the next step takes them as they are.

        For people who clip *afterwards*: unscale, ``apply_()``, clip, step. Until the step,
        ``p.grad`` is the transformed gradient; after it, the raw one is back. Call it in every
        iteration or in none.

        Raises
        ------
        RuntimeError
            If the gradients have been transformed already, or there are none.
        ValueError
            With ``where="update"``, where there is nothing to transform before the step.
        """
        if self.options.where == "update":
            msg = 'apply_() needs where="gradient": with "update" the step itself is transformed'
            raise ValueError(msg)
        if any(x.parameter.grad is x.sent and x.sent._version == x.version for x in self._sent):
            msg = (
                "these gradients have been transformed already; call apply_() once after each "
                "backward pass, and then optimizer.step()"
            )
            raise RuntimeError(msg)
        # Rewritten since (zeroed and accumulated anew, after a step that a scaler skipped).
        self._sent = []
        self._transform()
        self._applied = True

    def stats(self) -> dict[str, TensorStatistics]:
        """Return norms and channel correlations, raw and transformed, of the last step.

        By tensor name. Of the gradients, or with ``where="update"`` of the displacements; where a
        closure ran several times, of its last run. Waits for the device.

        Raises
        ------
        RuntimeError
            If the handle was not attached with ``stats=True``.
        """
        if not self.options.stats:
            msg = "statistics cost time at every step and are off; attach with stats=True"
            raise RuntimeError(msg)
        return self._statistics.read()

    def dual_norm(self) -> Tensor:
        r"""Return the length of the whole gradient in the metric, to clip raw gradients by.

        :math:`\sqrt{\sum g^TM^{-1}g}` over the tensors that the metric acts on, the Euclidean
        square for the others; a number in float64. Call it between ``backward()`` and the step.
        """
        jobs = self._jobs(need_gradient=True)
        acted = {id(job.parameter) for job in jobs}
        grads = [_widened(job.parameter.grad) for job in jobs]
        names = [f"the gradient of {job.entry.name}" for job in jobs]
        gradients = transform_list(grads, [job.action for job in jobs], names, Buffers())
        pairs = list(zip(grads, gradients, strict=True))
        for p in parameters_of(self.optimizer):
            if p.grad is not None and id(p) not in acted:
                g = _widened(p.grad)
                pairs.append((g, g))
        # (conj(g)·k).sum() has no imaginary part but rounding: M is real and symmetric.
        squares = [_whole((g.conj() * k).sum().real) for g, k in pairs]
        total = sum(squares, torch.zeros((), dtype=torch.float64))
        return total.clamp_min(0).sqrt()

    def state_dict(self) -> dict[str, Any]:
        """Return the metrics in force as plain numbers and strings.

        ``torch.load(..., weights_only=True)`` reads it back. The optimizer's own ``state_dict()``
        knows nothing of the metric, and is the same with and without.
        """
        return {
            "metrics": [None if rule.metric is None else asdict(rule.metric) for rule in self.rules]
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the metrics of a checkpoint in force.

        Raises
        ------
        TypeError
            If ``state`` is not a mapping.
        ValueError
            If it is not what :meth:`state_dict` returns, or of another number of rules; the
            metrics are as they were then.
        """
        metrics = saved_metrics(state, "metrics", len(self.rules))
        for rule, metric in zip(self.rules, metrics, strict=True):
            rule.metric = metric

    # ---- copies (see guard)

    @classmethod
    def _blank(cls) -> Handle:
        return cls.__new__(cls)

    def _copy_into(self, twin: Handle, memo: dict[int, Any]) -> None:
        model, rules = copy.deepcopy((self.model, self.rules), memo)
        twin._fill(model, rules, self.options)

    def __deepcopy__(self, memo: dict[int, Any]) -> Handle:
        copy.deepcopy(self.optimizer, memo)
        return memo[id(self)]

    def __getstate__(self) -> dict[str, Any]:
        return {
            "optimizer": self.optimizer,
            "model": self.model,
            "rules": self.rules,
            "options": asdict(self.options),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.optimizer = state["optimizer"]
        self._fill(state["model"], state["rules"], Options(**state["options"]))

    # ---- what runs around a step

    def _current_plan(self, *, refresh: bool = False) -> Plan:
        if self._plan is None or refresh:
            self._plan = make_plan(self.model, self.rules)
        return self._plan

    def _jobs(self, *, need_gradient: bool) -> list[_Job]:
        """Return the parameters to act on now, read from optimizer and model as they are."""
        held = [
            (p, group)
            for group in self.optimizer.param_groups
            for p in group["params"]
            if p.grad is not None or not need_gradient
        ]
        entries = [self._current_plan().entry(p) for p, _ in held]
        if any(entry is None or not entry.is_current for entry in entries):
            plan = self._current_plan(refresh=True)
            entries = [plan.entry(p) for p, _ in held]
            if all(entry is None for entry in entries):
                msg = (
                    "none of the optimizer's parameters belongs to the model any more: they have "
                    "been replaced since attach(), so nothing would be transformed; detach, and "
                    "attach again to the optimizer and the model that are trained"
                )
                raise RuntimeError(msg)
        jobs = []
        for (p, group), entry in zip(held, entries, strict=True):
            action = None if entry is None else entry.action
            if entry is not None and action is not None:
                jobs.append(_Job(p, group, entry, action))
        return jobs

    def _check_gradients(self) -> None:
        groups = self.optimizer.param_groups
        if not self.options.require_gradients:
            return
        if all(p.grad is None for group in groups for p in group["params"]):
            msg = (
                "every gradient is None, so the step would do nothing: backward() has not run, "
                "or gradients are kept elsewhere than in p.grad; if such steps are meant, attach "
                "with require_gradients=False"
            )
            raise RuntimeError(msg)

    def _transform(self) -> None:
        """Put the transformed gradients in place of the raw ones, all of them or none."""
        ready = {id(x.parameter) for x in self._sent if x.parameter.grad is x.sent}
        jobs = [job for job in self._jobs(need_gradient=True) if id(job.parameter) not in ready]
        raws = [job.parameter.grad for job in jobs]
        sent = self._directions(jobs, [raw for raw in raws if raw is not None])
        for job, raw, k in zip(jobs, raws, sent, strict=True):
            job.parameter.grad = k
            kept = None if self.options.inplace else raw
            self._sent.append(_Sent(job.parameter, kept, k, k._version))

    @torch.no_grad()
    def _directions(self, jobs: Sequence[_Job], raws: list[Tensor]) -> list[Tensor]:
        """Return M⁻¹g for each job's gradient, with the options that change it."""
        options = self.options
        actions = [job.action for job in jobs]
        names = [f"the gradient of {job.entry.name}" for job in jobs]
        if options.stats:
            self._statistics.before([job.entry.name for job in jobs], raws, actions)
        decays: list[float | Tensor] = [0.0] * len(jobs)
        if options.transform_decay:
            decays = [coupled_decay(self.optimizer, job.group) for job in jobs]
        weights = [job.parameter.detach() for job in jobs]

        def add_decay(tensors: list[Tensor], sign: int, *, inplace: bool) -> list[Tensor]:
            # A float 0.0 means none; a tensor is never asked, which would wait for the device.
            return [
                t
                if isinstance(c, float) and c == 0
                else (t.add_(sign * c * w) if inplace else t + sign * c * w)
                for t, c, w in zip(tensors, decays, weights, strict=True)
            ]

        fed = add_decay(raws, 1, inplace=options.inplace)
        norms = norms_of(fed) if options.match_norm else []
        buffers = None if options.inplace else self._buffers
        results = transform_list(fed, actions, names, buffers)
        if options.match_norm:
            match_norms(results, norms)
        # The base optimizer will add the decay itself: M⁻¹(g + λw) − λw + λw.
        sent = add_decay(results, -1, inplace=True)
        if options.stats:
            self._statistics.after(sent, actions)
        return sent

    def _restore(self) -> None:
        """Put the raw gradients back wherever ours still stands."""
        for x in self._sent:
            if x.raw is not None and x.parameter.grad is x.sent:
                x.parameter.grad = x.raw
        self._sent = []
        self._applied = False

    @_disable_dynamo
    def _settle(self) -> None:
        """Leave nothing behind, however the step ended."""
        self._depth = 0
        self._restore()
        self._saved = []
        self._unused_closure = False

    def _around(self, closure: Callable[..., Any]) -> Callable[..., Any]:
        """Return the closure with raw gradients before it and transformed ones after it."""

        @functools.wraps(closure)
        def evaluate(*args: Any, **kwargs: Any) -> Any:
            self._unused_closure = False
            # It may call zero_grad(set_to_none=False), accumulate, or fail: on raw gradients.
            self._restore()
            result = closure(*args, **kwargs)
            self._transform()
            return result

        return evaluate

    # Dynamo is not to trace the hooks of a compiled step: they are Python's business. The public
    # torch.compiler.disable would import all of Dynamo here; this one waits until it is needed.
    @_disable_dynamo
    def _before_step(
        self, optimizer: Optimizer, args: Args, kwargs: Kwargs
    ) -> tuple[Args, Kwargs] | None:
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        self._depth += 1
        # A step that calls super().step() may run the hooks twice: inside, what the outer hook
        # has done stands, and only gradients that have come since are transformed.
        if self._depth == 1 and not self._applied:
            self._restore()
        if not callable(closure):
            self._check_gradients()
        if self._depth > 1 and self._saved:
            return None
        if self.options.where == "update":
            self._save(optimizer, need_gradient=not callable(closure))
            return None
        if not callable(closure):
            self._unused_closure = False
            self._transform()
            return None
        self._unused_closure = True
        if len(args) > 1:
            return (args[0], self._around(closure), *args[2:]), kwargs
        return args, {**kwargs, "closure": self._around(closure)}

    @_disable_dynamo
    def _after_step(self, optimizer: Optimizer, args: Args, kwargs: Kwargs) -> None:  # noqa: ARG002
        self._depth -= 1
        if self._depth > 0:
            return
        unused = self._unused_closure
        if self._saved:
            self._transform_updates()
        self._settle()
        if unused:
            msg = (
                f"{type(optimizer).__name__}.step was given a closure and did not call it, so its "
                "gradients went in untransformed; call backward() yourself and step() without it"
            )
            raise RuntimeError(msg)

    def _save(self, optimizer: Optimizer, *, need_gradient: bool) -> None:
        self._saved = [
            _Saved(
                job.parameter,
                job.parameter.detach().clone(),
                1.0 if self.options.transform_decay else kept_fraction(optimizer, job.group),
                job.action,
                job.entry.name,
            )
            for job in self._jobs(need_gradient=need_gradient)
        ]

    @torch.no_grad()
    def _transform_updates(self) -> None:
        """Replace each displacement d = w⁺ − (1−ηλ)w by M⁻¹d."""
        saved = self._saved
        actions = [x.action for x in saved]
        moved = [x.parameter - x.kept * x.before for x in saved]
        names = [f"the update of {x.name}" for x in saved]
        results = transform_list(moved, actions, names, self._buffers)
        if self.options.match_norm:
            match_norms(results, norms_of(moved))
        if self.options.stats:
            self._statistics.before([x.name for x in saved], moved, actions)
            self._statistics.after(results, actions)
        for x, d, k in zip(saved, moved, results, strict=True):
            # w⁺ − (d − k), not w + k: where the step did nothing, not a bit changes.
            x.parameter.sub_(d.sub_(k))
