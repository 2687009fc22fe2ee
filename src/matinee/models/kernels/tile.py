"""The register tile: C += A^T B for a small block of C that stays in registers while the rows of A and B go by.

Everything that costs time in a row solve is this one product: the Gram matrix of gathered factors, their weighted sums
and the trailing updates of the Cholesky factorization. Left to the auto-vectoriser the same loops reach a quarter of
the speed, so the vector code is written out in LLVM's language, for whatever width the processor has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

BLOCK = 16
"""Ranks are padded to a multiple of this: one vector of the widest processors."""


def vector_width() -> int:
    """Return how many float32 lanes this machine's vectors have: 16 (AVX-512), 8 (AVX2) or 4 (everything else)."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl"):
        return 16
    return 8 if features.get("avx2") and features.get("fma") else 4


WIDTH = vector_width()
TILE_ROWS, TILE_VECTORS = {16: (16, 1), 8: (4, 2), 4: (4, 2)}[WIDTH]
TILE_COLUMNS = TILE_VECTORS * WIDTH


class _Emitter:
    """Writes the instructions of one tile product into the function that calls it."""

    def __init__(self, builder: ir.IRBuilder, rows: int, vectors: int) -> None:
        self.builder, self.rows, self.vectors = builder, rows, vectors
        self.float, self.int = ir.FloatType(), ir.IntType(64)
        self.vector = ir.VectorType(self.float, WIDTH)
        name = f"llvm.fma.v{WIDTH}f32"
        known = builder.module.globals.get(name)
        self.fma = known or ir.Function(builder.module, ir.FunctionType(self.vector, [self.vector] * 3), name)

    def load(self, start: ir.Value, vector: int) -> ir.Value:
        value = self.builder.load(self._at(start, vector))
        value.align = 4
        return value

    def store(self, value: ir.Value, start: ir.Value, vector: int) -> None:
        self.builder.store(value, self._at(start, vector)).align = 4

    def _at(self, start: ir.Value, vector: int) -> ir.Value:
        place = self.builder.gep(start, [ir.Constant(self.int, vector * WIDTH)])
        return self.builder.bitcast(place, self.vector.as_pointer())

    def spread(self, start: ir.Value, element: int) -> ir.Value:
        """Load one float into every lane."""
        scalar = self.builder.load(self.builder.gep(start, [ir.Constant(self.int, element)]))
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))

    def product(self, a: ir.Value, lda: ir.Value, b: ir.Value, ldb: ir.Value, k: ir.Value) -> list[list[ir.Value]]:
        """Loop over the k rows of A and B; return the finished accumulators."""
        builder, zeros = self.builder, ir.Constant(self.vector, [0.0] * WIDTH)
        before = builder.block
        loop, end = builder.append_basic_block("tile"), builder.append_basic_block("tile_end")
        cells = [(r, v) for r in range(self.rows) for v in range(self.vectors)]
        builder.cbranch(builder.icmp_signed(">", k, ir.Constant(self.int, 0)), loop, end)
        builder.position_at_end(loop)
        row = builder.phi(self.int)
        row.add_incoming(ir.Constant(self.int, 0), before)
        sums = {cell: builder.phi(self.vector) for cell in cells}
        a_row, b_row = builder.gep(a, [builder.mul(row, lda)]), builder.gep(b, [builder.mul(row, ldb)])
        right = [self.load(b_row, v) for v in range(self.vectors)]
        left = [self.spread(a_row, r) for r in range(self.rows)]
        new = {(r, v): builder.call(self.fma, [left[r], right[v], sums[r, v]]) for r, v in cells}
        following = builder.add(row, ir.Constant(self.int, 1))
        row.add_incoming(following, loop)
        for cell in cells:
            sums[cell].add_incoming(zeros, before)
            sums[cell].add_incoming(new[cell], loop)
        builder.cbranch(builder.icmp_signed("<", following, k), loop, end)
        builder.position_at_end(end)
        out = [[builder.phi(self.vector) for _ in range(self.vectors)] for _ in range(self.rows)]
        for r, v in cells:
            out[r][v].add_incoming(zeros, before)
            out[r][v].add_incoming(new[r, v], loop)
        return out


def make_tile(rows: int, vectors: int, *, subtract: bool = False) -> Callable[..., None]:
    """Make the intrinsic ``tile(a, a_start, lda, b, b_start, ldb, k, c, c_start, ldc)`` for flat float32 arrays.

    It computes ``C[i, j] += sum_k A[k, i] * B[k, j]`` (or ``-=``) for `rows` i and ``vectors * WIDTH`` j, where A, B and
    C begin at their `start` and are `ld` floats from row to row.
    """

    @intrinsic
    def tile(
        _context: Any, a: Any, a_start: Any, lda: Any, b: Any, b_start: Any, ldb: Any, k: Any, c: Any, c_start: Any,
        ldc: Any,
    ) -> Any:  # fmt: skip
        i64 = types.int64
        signature = types.void(a, i64, i64, b, i64, i64, i64, c, i64, i64)

        def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            def begin(which: int) -> ir.Value:
                data = context.make_array(signature.args[which])(context, builder, args[which]).data
                return builder.gep(data, [args[which + 1]])

            emit = _Emitter(builder, rows, vectors)
            sums = emit.product(begin(0), args[2], begin(3), args[5], args[6])
            place = begin(7)
            change = builder.fsub if subtract else builder.fadd
            for row in range(rows):
                for v in range(vectors):
                    emit.store(change(emit.load(place, v), sums[row][v]), place, v)
                place = builder.gep(place, [args[9]])
            return context.get_dummy_value()

        return signature, code

    return tile  # type: ignore[no-any-return]


add_tile = make_tile(TILE_ROWS, TILE_VECTORS)
subtract_tile = make_tile(TILE_ROWS, TILE_VECTORS, subtract=True)
sum_tile = make_tile(2, BLOCK // WIDTH)
"""Two weighted sums of rows at once: sixteen columns of t^T Y and w^T Y."""
