r"""The gradient in the metric, k = M⁻¹g, of one tensor or of a list; and its inverse, g = Mk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_theory.checks import described
from cdg_torch.checks import WithoutMemoryError, check_arguments, check_memory
from cdg_torch.operators import from_operand, metric_operand, transform, write_operator
from cdg_torch.solve import Job, solve
from cdg_torch.solve.plan import PLAIN, check_jobs

T = TypeVar("T")


def _operand(metric: Metric | Tensor) -> Tensor:
    return metric if isinstance(metric, Tensor) else metric_operand(metric)


def _apply(
    tensor: Tensor, metric: Metric | Tensor, dim: int, groups: int, *, inverse: bool, name: str
) -> Tensor:
    axis = check_arguments(tensor, metric, dim, groups, name)
    return transform(tensor, _operand(metric), axis, groups, inverse)


def riemannian_gradient(
    grad: Tensor, metric: Metric | Tensor, *, dim: int = 0, groups: int = 1
) -> Tensor:
    r"""Return the gradient in the metric, :math:`k = M^{-1}g`, in linear time.

    Of all directions of one length in the metric, the loss grows fastest along k. Most metrics call
    a direction long in which neighbouring channels differ, so k is smooth along the channels.

    ==========  ===========  =============================================================
    symbol      argument     meaning
    ==========  ===========  =============================================================
    :math:`g`   ``grad``     Euclidean gradient, any shape and dense layout
    :math:`M`   ``metric``   a :class:`cdg_theory.Metric`, or its operand
                             (:func:`cdg_torch.metric_operand`) inside compiled functions
    (axis)      ``dim``      the output-channel axis
    (blocks)    ``groups``   contiguous blocks along ``dim``, each with a metric of its own
    ==========  ===========  =============================================================

    Computed in float64 and rounded to the dtype of ``grad`` at the end, by the fastest
    implementation that serves the tensor (:func:`cdg_torch.backend`). Differentiable (any number of
    times), and usable in ``torch.compile`` and ``torch.vmap``. A NaN or an infinity spoils its own
    column and no other.

    Returns
    -------
    torch.Tensor
        A new tensor with the shape, dtype, device and strides of ``grad``.

    Raises
    ------
    TypeError
        If ``grad`` is not a dense tensor of a 16-, 32- or 64-bit float type, or ``metric`` is not
        a metric.
    ValueError
        If ``dim`` is not an axis, the axis is empty, or ``groups`` does not divide it.

    See Also
    --------
    cdg_torch.riemannian_gradients_ : A list of tensors, in place.
    cdg_torch.apply_metric : The inverse.
    cdg_torch.attach : Does it in every step of an optimizer.
    cdg_torch.dual_norm : The length of the result in the metric.
    cdg_theory.discrete.riemannian_gradient : The same in NumPy.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import riemannian_gradient
    >>> riemannian_gradient(torch.tensor([1.0, 2.0, 6.0]), Metric.reweighted_h0(2.0))
    tensor([2.0000, 2.5000, 4.5000])

    Notes
    -----
    Theorem 5 (equals :math:`M^{-1}g` for every n), theorem 7 (rounding).
    """
    return _apply(grad, metric, dim, groups, inverse=True, name="grad")


def apply_metric(k: Tensor, metric: Metric | Tensor, *, dim: int = 0, groups: int = 1) -> Tensor:
    r"""Return :math:`Mk`, the Euclidean gradient whose gradient in the metric is ``k``.

    .. math:: Mk = \beta k + \gamma s L k + \delta s^2 L(Lk) + (\alpha-\beta)\,\bar k\,\mathbf 1

    with the weights :math:`\alpha,\beta,\gamma,\delta` of the metric, the Laplacian :math:`L` and
    :math:`s = n^2` or 1 (:class:`cdg_theory.Metric`).

    The inverse of :func:`riemannian_gradient`. Computed in float64, differentiable, in linear time.

    =========  ==========  ==============================================================
    symbol     argument    meaning
    =========  ==========  ==============================================================
    :math:`k`  ``k``       any shape and dense layout
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`, or its operand
                           (:func:`cdg_torch.metric_operand`)
    (axis)     ``dim``     the output-channel axis
    (blocks)   ``groups``  contiguous blocks along ``dim``, each with a metric of its own
    =========  ==========  ==============================================================

    Returns
    -------
    torch.Tensor
        A new tensor with the shape, dtype, device and strides of ``k``.

    Raises
    ------
    TypeError
        If ``k`` is not a dense one of a 16-, 32- or 64-bit float type, or ``metric`` is not a
        metric.
    ValueError
        If ``dim`` is not an axis, the axis is empty, or ``groups`` does not divide it.

    See Also
    --------
    cdg_torch.riemannian_gradient : The inverse.
    cdg_torch.metric_power : M to any power.
    cdg_torch.inner_product : The form that M stands for.
    cdg_theory.discrete.gram_operator : The same in NumPy.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import apply_metric
    >>> apply_metric(torch.tensor([2.0, 2.5, 4.5]), Metric.reweighted_h0(2.0))
    tensor([1., 2., 6.])
    """
    return _apply(k, metric, dim, groups, inverse=False, name="k")


def _known(metric: Metric | Tensor) -> Metric:
    return from_operand(metric) if isinstance(metric, Tensor) else metric


def _call_operator(jobs: Sequence[Job]) -> None:
    axes = [
        check_arguments(g, metric, dim, n, f"tensors[{i}]")
        for i, (_, g, metric, dim, n) in enumerate(jobs)
    ]
    # Operands of 5 numbers have no curvature.
    each = (_operand(job.metric) for job in jobs)
    operands = torch.stack([torch.nn.functional.pad(one, (0, 6 - len(one))) for one in each])
    groups = [job.groups for job in jobs]
    write_operator([job.out for job in jobs], [job.grad for job in jobs], operands, axes, groups)


def write_gradients(jobs: Sequence[Job]) -> None:
    """Write M⁻¹g of every job: what an optimizer's step calls, for all of its gradients at once.

    The buffers may be the gradients themselves. Autograd does not see it. All arguments are checked
    before anything is written.

    Raises
    ------
    TypeError
        As :func:`riemannian_gradient`, or if ``jobs`` is not a list of jobs, or a buffer overlaps
        itself in memory.
    ValueError
        As :func:`riemannian_gradient`, or if a buffer is not like its gradient.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> g = torch.tensor([1.0, 2.0, 6.0])
    >>> write_gradients([Job(g, g, Metric.reweighted_h0(2.0))])
    >>> g
    tensor([2.0000, 2.5000, 4.5000])
    """
    check_jobs(jobs)
    if torch.compiler.is_compiling():
        _call_operator(jobs)
        return
    if {type(job.metric) for job in jobs} != {Metric}:
        jobs = [job._replace(metric=_known(job.metric)) for job in jobs]
    try:
        solve(jobs)
    except WithoutMemoryError:
        # A subclass takes itself apart when torch calls an operator on it, once for each part: so
        # each is called on its own.
        plain = [job for job in jobs if type(job.grad) in PLAIN]
        if len(plain) == len(jobs):
            raise
        for i, job in enumerate(jobs):
            if type(job.grad) in PLAIN:
                check_memory(job.grad, f"tensors[{i}]")
        for job in jobs:
            if type(job.grad) not in PLAIN:
                _call_operator([job])
        solve(plain)


def _one_each(name: str, value: T | Sequence[T], count: int) -> list[T]:
    """Return ``count`` values: the given sequence, or the given value over and over."""
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        return [value] * count  # a tensor is no Sequence: it is one operand
    if len(value) != count:
        msg = f"{name} must be one value or one per tensor, got {len(value)} for {count} tensors"
        raise ValueError(msg)
    return list(value)


def riemannian_gradients_(
    tensors: Sequence[Tensor],
    metric: Metric | Tensor | Sequence[Metric | Tensor],
    *,
    dims: int | Sequence[int] = 0,
    groups: int | Sequence[int] = 1,
) -> None:
    r"""Replace every gradient of a list by its gradient in the metric, :math:`k = M^{-1}g`.

    For those who write their own optimizer: one call for each step, no copy of the gradients.

    ==========  ===========  =============================================================
    symbol      argument     meaning
    ==========  ===========  =============================================================
    :math:`g`   ``tensors``  Euclidean gradients, overwritten
    :math:`M`   ``metric``   a :class:`cdg_theory.Metric`, or its operand
                             (:func:`cdg_torch.metric_operand`); one, or one per tensor
    (axis)      ``dims``     the output-channel axis; one, or one per tensor
    (blocks)    ``groups``   contiguous blocks along the axis; one, or one per tensor
    ==========  ===========  =============================================================

    Autograd does not record it. The tensors must not share memory with each other. All arguments
    are checked before anything is written.

    Raises
    ------
    TypeError
        As :func:`cdg_torch.riemannian_gradient`, or if a tensor overlaps itself in memory.
    ValueError
        As :func:`cdg_torch.riemannian_gradient`, or if a sequence has not one value per tensor.

    See Also
    --------
    cdg_torch.riemannian_gradient : One tensor, differentiable.
    cdg_torch.attach : For an optimizer that exists.
    cdg_torch.sharded.write_sharded_gradients : For DTensors.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import riemannian_gradients_
    >>> grads = [torch.tensor([1.0, 2.0, 6.0]), torch.tensor([[0.0, 4.0]])]
    >>> riemannian_gradients_(grads, Metric.reweighted_h0(2.0), dims=[0, 1])
    >>> grads
    [tensor([2.0000, 2.5000, 4.5000]), tensor([[1., 3.]])]
    """
    if not isinstance(tensors, Sequence) or isinstance(tensors, (str, bytes)):
        msg = f"tensors must be a list of torch.Tensor, got {described(tensors)}"
        raise TypeError(msg)
    count = len(tensors)
    each = (
        _one_each(name, value, count)
        for name, value in (("metric", metric), ("dims", dims), ("groups", groups))
    )
    write_gradients(list(map(Job, tensors, tensors, *each)))
