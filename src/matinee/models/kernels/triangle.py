"""Cholesky factorization and the two triangular solves, blocked by 16, on the register tile.

What is sequential in them happens inside diagonal blocks of 16 x 16, which live in registers. A finished diagonal block
is replaced by the inverse of its transpose, so that the triangular solves have no chains of dependent steps at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from matinee.models.kernels.tile import (
    BLOCK,
    TILE_COLUMNS,
    TILE_ROWS,
    WIDTH,
    Emitter,
    add_row_tile,
    subtract_row_tile,
    subtract_tile,
)  # fmt: skip

# Sums may be reordered and fused; NaN and infinity keep their meaning.
OPTIONS: dict[str, Any] = {
    "nogil": True, "fastmath": {"reassoc", "contract", "nsz", "arcp"}, "boundscheck": False, "error_model": "numpy",
}  # fmt: skip

TINY_PIVOT = np.float32(1e-6)
VECTORS = BLOCK // WIDTH


@njit(**OPTIONS)
def leading(f: int) -> int:
    """Floats from row to row of A: an odd number of cache lines, or its columns would crowd into few cache sets."""
    return f + BLOCK * (1 - f // BLOCK % 2)


@intrinsic
def factor_block(_context: Any, a: Any, start: Any, ld: Any, limits: Any) -> Any:
    """Overwrite the symmetric 16 x 16 block at `start` with U, U^T U = block, and the diagonal with 1 / U_rr.

    A pivot not above its limit is dropped: 1 / U_rr = 0.
    """
    i64 = types.int64

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        first = emit.begin(context, signature.args[0], args[0], args[1])
        bounds = emit.begin(context, signature.args[3], args[3], emit.int(0))
        places = [emit.ahead(first, builder.mul(args[2], emit.int(r))) for r in range(BLOCK)]
        rows = [[emit.load(place, v) for v in range(VECTORS)] for place in places]
        one, zero = emit.float(1.0), emit.float(0.0)
        for r, row in enumerate(rows):
            pivot = emit.lane(row[r // WIDTH], r % WIDTH)
            enough = builder.fcmp_ordered(">", pivot, builder.load(emit.ahead(bounds, r)))
            inverse = builder.select(enough, builder.fdiv(one, pivot), zero)
            wide = emit.spread(inverse)
            scaled = [builder.fmul(vector, wide) for vector in row]
            for q in range(r + 1, BLOCK):
                factor = emit.spread_lane(scaled[q // WIDTH], q % WIDTH)
                for v in range(q // WIDTH, VECTORS):
                    rows[q][v] = emit.subtract_product(rows[q][v], factor, row[v])
            root = emit.call("llvm.sqrt.f32", emit.float, inverse)
            done = [builder.fmul(vector, emit.spread(root)) for vector in row]
            lane = ir.Constant(ir.IntType(32), r % WIDTH)
            done[r // WIDTH] = builder.insert_element(done[r // WIDTH], root, lane)
            for v in range(VECTORS):
                emit.store(done[v], places[r], v)
        return context.get_dummy_value()

    return types.void(a, i64, i64, limits), code


def _substitute(emit: Emitter, block: ir.Value, ld: ir.Value, columns: list[ir.Value]) -> list[ir.Value]:
    """Return U^-T times 16 rows of one vector each, U as `factor_block` left it."""
    done: list[ir.Value] = []
    for r in range(BLOCK):
        row = emit.ahead(block, emit.builder.mul(ld, emit.int(r)))
        done.append(emit.builder.fmul(columns[r], emit.spread_at(row, r)))
        for q in range(r + 1, BLOCK):
            columns[q] = emit.subtract_product(columns[q], emit.spread_at(row, q), done[r])
    return done


@intrinsic
def solve_strip(_context: Any, a: Any, block: Any, strip: Any, ld: Any) -> Any:
    """Overwrite the 16 rows x one vector at `strip` with U^-T times them; U is the factored block at `block`."""
    i64 = types.int64

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        corner, first = (emit.begin(context, signature.args[0], args[0], args[n]) for n in (1, 2))
        places = [emit.ahead(first, builder.mul(args[3], emit.int(r))) for r in range(BLOCK)]
        for place, value in zip(
            places, _substitute(emit, corner, args[3], [emit.load(p) for p in places]), strict=True
        ):
            emit.store(value, place)
        return context.get_dummy_value()

    return types.void(a, i64, i64, i64), code


@intrinsic
def invert_block(_context: Any, a: Any, block: Any, ld: Any) -> Any:
    """Overwrite the factored block at `block` with U^-T."""
    i64 = types.int64

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        corner = emit.begin(context, signature.args[0], args[0], args[1])
        parts = []
        for v in range(VECTORS):
            unit = [[float(v * WIDTH + lane == r) for lane in range(WIDTH)] for r in range(BLOCK)]
            parts.append(_substitute(emit, corner, args[2], [ir.Constant(emit.vector, row) for row in unit]))
        for v, part in enumerate(parts):
            for r, value in enumerate(part):
                emit.store(value, emit.ahead(corner, builder.mul(args[2], emit.int(r))), v)
        return context.get_dummy_value()

    return types.void(a, i64, i64), code


@intrinsic
def dots(_context: Any, a: Any, a_start: Any, ld: Any, x: Any, x_start: Any, vectors: Any, y: Any, y_start: Any) -> Any:
    """One vector of y = the dot products of as many rows of A with x, over `vectors` vectors of columns."""
    i64 = types.int64

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        matrix, x_place, y_place = (emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 3, 6))
        rows = [emit.ahead(matrix, builder.mul(args[2], emit.int(r))) for r in range(WIDTH)]

        def step(k: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
            column = builder.mul(k, emit.int(WIDTH))
            wide = emit.load(emit.ahead(x_place, column))
            return [emit.fma(emit.load(emit.ahead(row, column)), wide, sums[r]) for r, row in enumerate(rows)]

        sums = emit.sum_over(args[5], WIDTH, step)
        half = WIDTH // 2
        while half:  # fold pairs of vectors into one: the lanes of the last are the sums of the first, in order
            upper = [lane for lane in range(2 * WIDTH) if lane % WIDTH % (2 * half) < half]
            lower = [lane + half for lane in upper]
            pairs = zip(sums[::2], sums[1::2], strict=True)
            sums = [builder.fadd(emit.shuffle(p, q, upper), emit.shuffle(p, q, lower)) for p, q in pairs]
            half //= 2
        emit.store(sums[0], y_place)
        return context.get_dummy_value()

    return types.void(a, i64, i64, x, i64, i64, y, i64), code


@njit(**OPTIONS)
def cholesky(A: Any, f: int, ld: int) -> None:
    """Factor A (f x f, upper, diagonal blocks whole, rows `ld` apart) in place.

    It becomes U above the diagonal blocks and U_bb^-T within them.

    An unknown whose pivot has vanished beside its own diagonal is tied to those before it and gets zero.
    """
    limits = np.empty(BLOCK, np.float32)
    for first in range(0, f, BLOCK):
        corner = first * ld + first
        for r in range(BLOCK):
            limits[r] = TINY_PIVOT * A[corner + r * ld + r]
        for i in range(first, first + BLOCK, TILE_ROWS):
            for j in range(first, f, TILE_COLUMNS):
                subtract_tile(A, i, ld, A, j, ld, first, A, i * ld + j, ld)
        factor_block(A, corner, ld, limits)
        for j in range(BLOCK, f - first, WIDTH):
            solve_strip(A, corner, corner + j, ld)
        invert_block(A, corner, ld)


@njit(**OPTIONS)
def solve_forward(U: Any, b: Any, f: int, ld: int) -> None:
    """Overwrite b with U^-T b, U as `cholesky` left it."""
    z = np.empty(BLOCK, np.float32)
    for first in range(0, f, BLOCK):
        corner = first * ld + first
        for r in range(0, BLOCK, WIDTH):
            dots(U, corner + r * ld, ld, b, first, VECTORS, z, r)
        for r in range(BLOCK):
            b[first + r] = z[r]
        for j in range(BLOCK, f - first, BLOCK):
            subtract_row_tile(z, 0, 1, U, corner + j, ld, BLOCK, b, first + j, f)


@njit(**OPTIONS)
def solve_backward(U: Any, b: Any, f: int, ld: int) -> None:
    """Overwrite b with U^-1 b, U as `cholesky` left it."""
    s = np.empty(BLOCK, np.float32)
    for first in range(f - BLOCK, -1, -BLOCK):
        corner = first * ld + first
        for r in range(0, BLOCK, WIDTH):
            dots(U, corner + r * ld + BLOCK, ld, b, first + BLOCK, (f - first - BLOCK) // WIDTH, s, r)
        for r in range(BLOCK):
            s[r] = b[first + r] - s[r]
            b[first + r] = 0
        add_row_tile(s, 0, 1, U, corner, ld, BLOCK, b, first, f)


@njit(**OPTIONS)
def solve_factored(U: Any, b: Any, f: int, ld: int) -> None:
    """Overwrite b with the solution of A x = b, U being what `cholesky` made of A."""
    solve_forward(U, b, f, ld)
    solve_backward(U, b, f, ld)
