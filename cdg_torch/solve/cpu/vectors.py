r"""A block of neighbouring columns as *one* value, so that a kernel reads like its formula.

Every column of a tensor undergoes the same arithmetic and columns never meet, so a block of
``LANES`` of them behaves like a number: ``y = carry[i] * y + load(...)`` is the recurrence of
the theory, for all columns of the block at once. For LLVM the block is a vector of float64 that
stays in registers from row to row. Loops over arrays cannot promise that: they write every
accumulator back to the cache after every row.

No operation mixes lanes, hence a NaN or an infinity spoils its own column and no other. The only
liberty that LLVM is given is to contract a product and a sum into one rounding.

==========  ==================================  =============================================
``tag``     storage type at the address         in memory
==========  ==================================  =============================================
float64     float64                             8 bytes
float32     float32                             4 bytes
int16       float16 (Numba has no such type)    2 bytes
uint16      bfloat16 (NumPy has no such type)   the upper half of a float32
==========  ==================================  =============================================

A ``tag`` is an empty NumPy array whose dtype names the storage type; addresses are integers, and
indices count elements of the storage type.
"""

# mypy: disable-error-code="no-untyped-call, untyped-decorator, import-untyped"
# Numba's and llvmlite's extension interfaces carry no types.

from __future__ import annotations

import operator
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

# Three accumulators must fit the vector registers: 3·8 of the 32 of AVX-512, 3·4 of 16 elsewhere.
LANES = 64 if llvm.get_host_cpu_features().get("avx512f") else 16
CACHE_LINE = 64

_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_HALF, _FLOAT, _DOUBLE = ir.HalfType(), ir.FloatType(), ir.DoubleType()
_STORED = {
    types.float64: (_DOUBLE, 8),
    types.float32: (_FLOAT, 4),
    types.int16: (_HALF, 2),
    types.uint16: (_I16, 2),
}


def _intrinsic(function: Any) -> Any:
    """Make a function of compiled code from one that returns its type and its LLVM code."""
    return intrinsic(prefer_literal=True)(function)


def _vector(element: ir.Type) -> ir.VectorType:
    return ir.VectorType(element, LANES)


class _LanesType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"Lanes({LANES})")


_LANES = _LanesType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _vector(_DOUBLE))


def _splat(builder: Any, scalar: Any, element: ir.Type = _DOUBLE) -> Any:
    empty = ir.Constant(_vector(element), ir.Undefined)
    first = builder.insert_element(empty, scalar, _I32(0))
    return builder.shuffle_vector(first, empty, ir.Constant(_vector(_I32), [0] * LANES))


def _define(symbol: Any, instruction: str) -> None:
    """Define ``lanes ∘ lanes`` and ``number ∘ lanes``."""

    @infer_global(symbol)
    class _Operator(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:  # noqa: ARG002
            if args in {(_LANES, _LANES), (types.float64, _LANES)}:
                return signature(_LANES, *args)
            return None

    @lower_builtin(symbol, _LANES, _LANES)
    def _lanes(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        return getattr(builder, instruction)(*args, flags=["contract"])

    @lower_builtin(symbol, types.float64, _LANES)
    def _scalar(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        left = _splat(builder, args[0])
        return getattr(builder, instruction)(left, args[1], flags=["contract"])


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")


@infer_global(operator.truediv)
class _Quotient(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:  # noqa: ARG002
        return signature(_LANES, *args) if args == (_LANES, types.float64) else None


@lower_builtin(operator.truediv, _LANES, types.float64)
def _quotient(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
    return builder.fdiv(args[0], _splat(builder, args[1]))


def _address(builder: Any, tag: Any, address: Any, index: Any) -> Any:
    element, _ = _STORED[tag.dtype]
    return builder.gep(builder.inttoptr(address, element.as_pointer()), [index])


@_intrinsic
def spread(typing_context: Any, value: Any) -> Any:  # noqa: ARG001
    """Return lanes that all hold ``value``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        return _splat(builder, args[0])

    return _LANES(types.float64), generate


def _words(builder: Any, constant: int) -> Any:
    return _splat(builder, _I64(constant), _I64)


@_intrinsic
def larger(typing_context: Any, one: Any, other: Any) -> Any:  # noqa: ARG001
    """Return the larger modulus in every lane; a NaN is larger than any number."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        # Without their sign, floats are in the order of their bits.
        a, b = (
            builder.and_(builder.bitcast(arg, _vector(_I64)), _words(builder, (1 << 63) - 1))
            for arg in args
        )
        chosen = builder.select(builder.icmp_unsigned(">", a, b), a, b)
        return builder.bitcast(chosen, _vector(_DOUBLE))

    return _LANES(_LANES, _LANES), generate


@_intrinsic
def power_of_two(typing_context: Any, size: Any) -> Any:  # noqa: ARG001
    """Return the power of two just below a modulus, from 2⁻¹⁰²² to 2¹⁰²²; 1 if it is not finite."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        exponent = builder.lshr(builder.bitcast(args[0], _vector(_I64)), _words(builder, 52))
        finite = builder.icmp_unsigned("<", exponent, _words(builder, 2047))
        exponent = builder.select(finite, exponent, _words(builder, 1023))
        for sign, end in (("<", 1), (">", 2045)):
            beyond = builder.icmp_unsigned(sign, exponent, _words(builder, end))
            exponent = builder.select(beyond, _words(builder, end), exponent)
        return builder.bitcast(builder.shl(exponent, _words(builder, 52)), _vector(_DOUBLE))

    return _LANES(_LANES), generate


@_intrinsic
def inverse_power(typing_context: Any, power: Any) -> Any:  # noqa: ARG001
    """Return 1 / power, exactly, for what :func:`power_of_two` returns."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        bits = builder.bitcast(args[0], _vector(_I64))
        return builder.bitcast(builder.sub(_words(builder, 2046 << 52), bits), _vector(_DOUBLE))

    return _LANES(_LANES), generate


def _widen(builder: Any, value: Any, element: ir.Type) -> Any:
    """Widen stored lanes to float64: exact."""
    if element == _I16:
        bits = builder.shl(builder.zext(value, _vector(_I32)), _splat(builder, _I32(16), _I32))
        value = builder.bitcast(bits, _vector(_FLOAT))
    elif element == _HALF:
        value = builder.fpext(value, _vector(_FLOAT))
    return value if element == _DOUBLE else builder.fpext(value, _vector(_DOUBLE))


@_intrinsic
def load(typing_context: Any, tag: Any, address: Any, index: Any) -> Any:  # noqa: ARG001
    """Return the ``LANES`` stored numbers from ``index`` on, widened to float64: exact."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        element, alignment = _STORED[tag.dtype]
        place = _address(builder, tag, args[1], args[2])
        vector = builder.bitcast(place, _vector(element).as_pointer())
        return _widen(builder, builder.load(vector, align=alignment), element)

    return _LANES(tag, types.intp, types.intp), generate


def _round_to_bfloat16(builder: Any, value: Any) -> Any:
    """Round float32 lanes to the nearest bfloat16, ties to even; a NaN stays a NaN."""

    def word(constant: int) -> Any:
        return _splat(builder, _I32(constant), _I32)

    bits = builder.bitcast(value, _vector(_I32))
    upper = builder.lshr(bits, word(16))
    tie = builder.add(word(0x7FFF), builder.and_(upper, word(1)))
    rounded = builder.lshr(builder.add(bits, tie), word(16))
    quiet = builder.or_(upper, word(0x40))
    chosen = builder.select(builder.fcmp_unordered("uno", value, value), quiet, rounded)
    return builder.trunc(chosen, _vector(_I16))


@_intrinsic
def store(typing_context: Any, tag: Any, address: Any, index: Any, value: Any) -> Any:  # noqa: ARG001
    """Round ``value`` to the storage type and write it from ``index`` on.

    The 16-bit types are rounded by way of float32, which costs at most 2⁻¹² of their unit in the
    last place beside its half.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        element, alignment = _STORED[tag.dtype]
        place = _address(builder, tag, args[1], args[2])
        vector = builder.bitcast(place, _vector(element).as_pointer())
        result = args[3]
        if element != _DOUBLE:
            result = builder.fptrunc(result, _vector(_FLOAT))
        if element == _I16:
            result = _round_to_bfloat16(builder, result)
        elif element == _HALF:
            result = builder.fptrunc(result, _vector(_HALF))
        builder.store(result, vector, align=alignment)
        return context.get_dummy_value()

    return types.void(tag, types.intp, types.intp, _LANES), generate


@_intrinsic
def move(typing_context: Any, tag: Any, src: Any, i: Any, dst: Any, j: Any) -> Any:  # noqa: ARG001
    """Copy the one stored number at index ``i`` of ``src`` to index ``j`` of ``dst``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        value = builder.load(_address(builder, tag, args[1], args[2]))
        builder.store(value, _address(builder, tag, args[3], args[4]))
        return context.get_dummy_value()

    return types.void(tag, types.intp, types.intp, types.intp, types.intp), generate


@_intrinsic
def prefetch(typing_context: Any, tag: Any, address: Any, index: Any, level: Any) -> Any:  # noqa: ARG001
    """Ask for the lanes at ``index``, which need not exist, in the cache of a literal ``level``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        byte = ir.IntType(8).as_pointer()
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32]),
            "llvm.prefetch.p0",
        )
        start = builder.bitcast(_address(builder, tag, args[1], args[2]), byte)
        locality = _I32({1: 3, 2: 2}[level.literal_value])
        for offset in range(0, LANES * _STORED[tag.dtype][1], CACHE_LINE):
            place = builder.gep(start, [_I64(offset)])
            builder.call(function, [place, _I32(0), locality, _I32(1)])
        return context.get_dummy_value()

    if not isinstance(level, types.IntegerLiteral):
        return None
    return types.void(tag, types.intp, types.intp, level), generate


@_intrinsic
def pointer(typing_context: Any, address: Any) -> Any:  # noqa: ARG001
    """Return an address as a pointer."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.intp), generate


@_intrinsic
def next_number(typing_context: Any, place: Any, offset: Any) -> Any:  # noqa: ARG001
    """Return the integer at ``offset`` bytes from ``place``, and leave one more there: atomic."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        counter = builder.bitcast(builder.gep(args[0], [args[1]]), _I64.as_pointer())
        return builder.atomic_rmw("add", counter, _I64(1), ordering="monotonic")

    return types.int64(types.voidptr, types.intp), generate
