"""Rows of factors scaled, summed and multiplied while they are gathered: one pass over each, whole vectors only.

Flat float32 arrays whose rows are multiples of `tile.BLOCK` floats. Left to the compiler, the same loops check at every
row whether arrays overlap, and sums go through memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from matinee.models.kernels.tile import BLOCK, WIDTH, Emitter

VECTORS = BLOCK // WIDTH
_i64, _f4 = types.int64, types.float32


def _total(emit: Emitter, vector: ir.Value) -> ir.Value:
    """Sum the lanes."""
    half = WIDTH // 2
    while half:
        vector = emit.builder.fadd(vector, emit.shuffle(vector, vector, [(n + half) % WIDTH for n in range(WIDTH)]))
        half //= 2
    return emit.lane(vector, 0)


def _each_block(
    emit: Emitter, floats: ir.Value, places: list[ir.Value], step: Callable[[list[ir.Value], int, ir.Value], ir.Value]
) -> ir.Value:
    """Loop over blocks of rows at `places`: ``step(places, vector, sum) -> sum``; return the sum of the lanes."""

    def block(n: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
        here = [emit.ahead(place, emit.builder.mul(n, emit.int(BLOCK))) for place in places]
        return [step(here, v, total) for v, total in enumerate(sums)]

    sums = emit.sum_over(emit.builder.sdiv(floats, emit.int(BLOCK)), VECTORS, block)
    total = sums[0]
    for other in sums[1:]:
        total = emit.builder.fadd(total, other)
    return _total(emit, total)


def make_scale(blocks: int) -> tuple[Any, Any]:
    """Make `scale_row` and `scale_sum` for rows of so many blocks, written out: a loop over one or two takes longer."""

    @intrinsic
    def scale_row(_context: Any, a: Any, a_start: Any, scale: Any, g: Any, g_start: Any) -> Any:
        def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            emit = Emitter(builder)
            source, goal = (emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 3))
            wide = emit.spread(args[2])
            for v in range(blocks * VECTORS):
                emit.store(builder.fmul(emit.load(source, v), wide), goal, v)
            return context.get_dummy_value()

        return types.void(a, _i64, _f4, g, _i64), code

    @intrinsic
    def scale_sum(_context: Any, a: Any, a_start: Any, b: Any, b_start: Any, scale: Any, g: Any, g_start: Any) -> Any:
        def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            emit = Emitter(builder)
            left, right, goal = (emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 2, 5))
            wide, sums = emit.spread(args[4]), [emit.zeros] * 2
            for v in range(blocks * VECTORS):
                one, other = emit.load(left, v), emit.load(right, v)
                emit.store(builder.fmul(builder.fadd(one, other), wide), goal, v)
                sums[v % 2] = emit.fma(one, other, sums[v % 2])
            return _total(emit, builder.fadd(*sums))

        return _f4(a, _i64, b, _i64, _f4, g, _i64), code

    return scale_row, scale_sum


scale_block, scale_sum_block = make_scale(1)
scale_two_blocks, scale_sum_two_blocks = make_scale(2)


@intrinsic
def scale_row(_context: Any, a: Any, a_start: Any, scale: Any, g: Any, g_start: Any, floats: Any) -> Any:
    """Write ``G = scale * A``."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        places = [emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 3)]
        wide = emit.spread(args[2])

        def step(here: list[ir.Value], v: int, total: ir.Value) -> ir.Value:
            emit.store(builder.fmul(emit.load(here[0], v), wide), here[1], v)
            return total

        _each_block(emit, args[5], places, step)
        return context.get_dummy_value()

    return types.void(a, _i64, _f4, g, _i64, _i64), code


@intrinsic
def scale_sum(
    _context: Any, a: Any, a_start: Any, b: Any, b_start: Any, scale: Any, g: Any, g_start: Any, floats: Any
) -> Any:
    """Write ``G = scale * (A + B)`` and return ``A . B``."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        places = [emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 2, 5)]
        wide = emit.spread(args[4])

        def step(here: list[ir.Value], v: int, total: ir.Value) -> ir.Value:
            one, other = emit.load(here[0], v), emit.load(here[1], v)
            emit.store(builder.fmul(builder.fadd(one, other), wide), here[2], v)
            return emit.fma(one, other, total)

        return _each_block(emit, args[7], places, step)

    return _f4(a, _i64, b, _i64, _f4, g, _i64, _i64), code


@intrinsic
def add_scaled(_context: Any, a: Any, a_start: Any, scale: Any, g: Any, g_start: Any, floats: Any) -> Any:
    """Add ``scale * A`` to G."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        places = [emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 3)]
        wide = emit.spread(args[2])

        def step(here: list[ir.Value], v: int, total: ir.Value) -> ir.Value:
            emit.store(emit.fma(emit.load(here[0], v), wide, emit.load(here[1], v)), here[1], v)
            return total

        _each_block(emit, args[5], places, step)
        return context.get_dummy_value()

    return types.void(a, _i64, _f4, g, _i64, _i64), code


@intrinsic
def product(_context: Any, x: Any, x_start: Any, a: Any, a_start: Any, floats: Any) -> Any:
    """Return ``X . A``."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        places = [emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 2)]

        def step(here: list[ir.Value], v: int, total: ir.Value) -> ir.Value:
            return emit.fma(emit.load(here[0], v), emit.load(here[1], v), total)

        return _each_block(emit, args[4], places, step)

    return _f4(x, _i64, a, _i64, _i64), code


@intrinsic
def products(_context: Any, x: Any, x_start: Any, a: Any, a_start: Any, b: Any, b_start: Any, floats: Any) -> Any:
    """Return ``X . A + X . B + A . B``."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        places = [emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 2, 4)]

        def step(here: list[ir.Value], v: int, total: ir.Value) -> ir.Value:
            one, two, three = (emit.load(place, v) for place in here)
            return emit.fma(one, builder.fadd(two, three), emit.fma(two, three, total))

        return _each_block(emit, args[6], places, step)

    return _f4(x, _i64, a, _i64, b, _i64, _i64), code


def _scattered(
    context: Any, builder: ir.IRBuilder, signature: Any, args: Any
) -> tuple[Emitter, Callable[[ir.Value], tuple[ir.Value, ir.Value, ir.Value]]]:
    """Return ``entry -> (places of its row and of its bias, its weight)``; see `make_gather` for the arguments."""
    emit = Emitter(builder)
    matrix = emit.begin(context, signature.args[0], args[0], args[2])
    biases = emit.begin(context, signature.args[1], args[1], emit.int(0))
    rows = emit.begin(context, signature.args[4], args[4], args[5])
    weights = emit.begin(context, signature.args[6], args[6], emit.int(0))

    def entry(n: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
        row = builder.zext(builder.load(emit.ahead(rows, n)), emit.int)
        place = emit.ahead(matrix, builder.mul(row, args[3]))
        return place, emit.ahead(biases, row), builder.load(emit.ahead(weights, row))

    return emit, entry


def make_gather(blocks: int) -> tuple[Any, Any]:
    """Make two intrinsics over `blocks` blocks of columns from `column` on, of the rows that k entries name, and over
    the rows' biases, which lie in an array of their own.

    ``gather_sum(R, r_bias, column, f, rows, first, weights, k, out)``: out = sum of weights[row] * R[row], and behind
    it, in every lane of a vector, that of the biases;
    ``scatter_subtract(R, r_bias, column, f, rows, first, weights, k, change)``: R[row] -= weights[row] * change, the
    biases' change behind the others.
    """
    vectors = blocks * VECTORS

    def types_of(r: Any, bias: Any, rows: Any, weights: Any, vector: Any) -> Any:
        return types.void(r, bias, _i64, _i64, rows, _i64, weights, _i64, vector)

    @intrinsic
    def gather_sum(
        _context: Any, r: Any, bias: Any, column: Any, f: Any, rows: Any, first: Any, weights: Any, k: Any, out: Any
    ) -> Any:
        def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            emit, entry = _scattered(context, builder, signature, args)

            def step(n: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
                place, bias, weight = entry(n)
                wide, last = emit.spread(weight), emit.spread(builder.load(bias))
                parts = [*(emit.load(place, v) for v in range(vectors)), last]
                return [emit.fma(part, wide, total) for part, total in zip(parts, sums, strict=True)]

            goal = emit.begin(context, signature.args[8], args[8], emit.int(0))
            for v, total in enumerate(emit.sum_over(args[7], vectors + 1, step)):
                emit.store(total, goal, v)
            return context.get_dummy_value()

        return types_of(r, bias, rows, weights, out), code

    @intrinsic
    def scatter_subtract(
        _context: Any, r: Any, bias: Any, column: Any, f: Any, rows: Any, first: Any, weights: Any, k: Any, change: Any
    ) -> Any:
        def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            emit, entry = _scattered(context, builder, signature, args)
            source = emit.begin(context, signature.args[8], args[8], emit.int(0))
            changes = [emit.load(source, v) for v in range(vectors)]
            last = builder.load(emit.ahead(source, blocks * BLOCK))

            def step(n: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
                place, bias, weight = entry(n)
                wide = emit.spread(weight)
                for v, change in enumerate(changes):
                    emit.store(emit.subtract_product(emit.load(place, v), change, wide), place, v)
                builder.store(builder.fsub(builder.load(bias), builder.fmul(weight, last)), bias)
                return sums

            emit.sum_over(args[7], 0, step)
            return context.get_dummy_value()

        return types_of(r, bias, rows, weights, change), code

    return gather_sum, scatter_subtract


gather_sum, scatter_subtract = make_gather(1)
wide_gather_sum, wide_scatter_subtract = make_gather(2)
