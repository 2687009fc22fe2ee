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
from numba.core import config
from numba.extending import intrinsic

import matinee.models.kernels.caching  # noqa: F401  numba looks for a folder when kernels are defined

BLOCK = 16
"""Ranks are padded to a multiple of this: one vector of the widest processors."""


def vector_width() -> int:
    """Return how many float32 lanes this machine's vectors have: 16 (AVX-512), 8 (AVX2) or 4 (everything else).

    numba compiles for the host unless `NUMBA_CPU_FEATURES` says otherwise, and keys its cache by the same features.
    """
    features = (config.CPU_FEATURES or llvm.get_host_cpu_features().flatten()).split(",")
    if {"+avx512f", "+avx512vl"} <= set(features):
        return 16
    return 8 if {"+avx2", "+fma"} <= set(features) else 4


WIDTH = vector_width()
TILE_ROWS, TILE_VECTORS = {16: (16, 1), 8: (4, 2), 4: (4, 2)}[WIDTH]
TILE_COLUMNS = TILE_VECTORS * WIDTH


class Emitter:
    """Writes vector instructions into the function that calls an intrinsic."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder
        self.float, self.int = ir.FloatType(), ir.IntType(64)
        self.vector = ir.VectorType(self.float, WIDTH)
        self.zeros = ir.Constant(self.vector, [0.0] * WIDTH)

    def call(self, name: str, kind: ir.Type, *arguments: ir.Value) -> ir.Value:
        """Call one of LLVM's own functions of values that all have the type `kind`."""
        known = self.builder.module.globals.get(name)
        function = known or ir.Function(self.builder.module, ir.FunctionType(kind, [kind] * len(arguments)), name)
        return self.builder.call(function, arguments)

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """Return a * b + c, rounded once where the processor can."""
        return self.call(f"llvm.fmuladd.v{WIDTH}f32", self.vector, a, b, c)

    def subtract_product(self, c: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
        """Return c - a * b, rounded once where the processor can."""
        return self.fma(self.builder.fneg(a), b, c)

    def begin(self, context: Any, array: Any, value: ir.Value, start: ir.Value) -> ir.Value:
        """Point at the element `start` of a flat array."""
        return self.builder.gep(context.make_array(array)(context, self.builder, value).data, [start])

    def ahead(self, place: ir.Value, floats: int | ir.Value) -> ir.Value:
        """Move a pointer on."""
        return self.builder.gep(place, [ir.Constant(self.int, floats) if isinstance(floats, int) else floats])

    def load(self, place: ir.Value, vector: int = 0) -> ir.Value:
        """Load the whole vector that lies so many vectors on; any alignment will do."""
        value = self.builder.load(self._at(place, vector))
        value.align = 4
        return value

    def store(self, value: ir.Value, place: ir.Value, vector: int = 0) -> None:
        """Store a whole vector so many vectors on."""
        self.builder.store(value, self._at(place, vector)).align = 4

    def _at(self, place: ir.Value, vector: int) -> ir.Value:
        return self.builder.bitcast(self.ahead(place, vector * WIDTH), self.vector.as_pointer())

    def prefetch(self, place: ir.Value) -> None:
        """Ask for the cache line of a place."""
        byte, i32, name = ir.IntType(8).as_pointer(), ir.IntType(32), "llvm.prefetch.p0"
        module = self.builder.module
        fetch = module.globals.get(name) or ir.Function(
            module, ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32]), name
        )
        self.builder.call(fetch, [self.builder.bitcast(place, byte), i32(0), i32(3), i32(1)])

    def shuffle(self, a: ir.Value, b: ir.Value, lanes: list[int]) -> ir.Value:
        """Pick lanes of a, and from `WIDTH` on of b."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))

    def lane(self, vector: ir.Value, lane: int) -> ir.Value:
        """Take one float of a vector."""
        return self.builder.extract_element(vector, ir.Constant(ir.IntType(32), lane))

    def spread_lane(self, vector: ir.Value, lane: int) -> ir.Value:
        """Copy one lane to all."""
        return self.shuffle(vector, vector, [lane] * WIDTH)

    def spread(self, scalar: ir.Value) -> ir.Value:
        """Copy one float to every lane."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        return self.spread_lane(one, 0)

    def spread_at(self, place: ir.Value, element: int) -> ir.Value:
        """Load one float into every lane."""
        return self.spread(self.builder.load(self.ahead(place, element)))

    def sum_over(self, count: ir.Value, cells: int, step: Callable[[ir.Value, list[ir.Value]], list[ir.Value]]) -> Any:
        """Loop `count` times over ``step(index, sums) -> sums``, starting from zeros; return the last sums."""
        builder, one = self.builder, ir.Constant(self.int, 1)
        before = builder.block
        loop, end = builder.append_basic_block("sum"), builder.append_basic_block("sum_end")
        builder.cbranch(builder.icmp_signed(">", count, ir.Constant(self.int, 0)), loop, end)
        builder.position_at_end(loop)
        index = builder.phi(self.int)
        sums = [builder.phi(self.vector) for _ in range(cells)]
        new = step(index, sums)
        following = builder.add(index, one)
        for phi, first, next_ in zip(
            [index, *sums], [one.type(0), *[self.zeros] * cells], [following, *new], strict=True
        ):
            phi.add_incoming(first, before)
            phi.add_incoming(next_, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, end)
        builder.position_at_end(end)
        out = [builder.phi(self.vector) for _ in range(cells)]
        for phi, value in zip(out, new, strict=True):
            phi.add_incoming(self.zeros, before)
            phi.add_incoming(value, loop)
        return out


def make_tile(rows: int, vectors: int, *, subtract: bool = False) -> Any:
    """Make the intrinsic ``tile(a, a_start, lda, b, b_start, ldb, k, c, c_start, ldc)`` for flat float32 arrays.

    It computes ``C[i, j] += sum_k A[k, i] * B[k, j]`` (or ``-=``) for `rows` i and ``vectors * WIDTH`` j, where A, B
    and C begin at their `start` and are `ld` floats from row to row.
    """

    @intrinsic
    def tile(
        _context: Any, a: Any, a_start: Any, lda: Any, b: Any, b_start: Any, ldb: Any, k: Any, c: Any, c_start: Any,
        ldc: Any,
    ) -> Any:  # fmt: skip
        i64 = types.int64
        signature = types.void(a, i64, i64, b, i64, i64, i64, c, i64, i64)

        def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            emit = Emitter(builder)
            left, right, place = (emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 3, 7))
            lda, ldb, ldc = args[2], args[5], args[9]

            def step(k: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
                a_row, b_row = emit.ahead(left, builder.mul(k, lda)), emit.ahead(right, builder.mul(k, ldb))
                wide = [emit.load(b_row, v) for v in range(vectors)]
                scalars = [emit.spread_at(a_row, r) for r in range(rows)]
                return [emit.fma(scalars[n // vectors], wide[n % vectors], total) for n, total in enumerate(sums)]

            sums = emit.sum_over(args[6], rows * vectors, step)
            change = builder.fsub if subtract else builder.fadd
            for row in range(rows):
                for v in range(vectors):
                    emit.store(change(emit.load(place, v), sums[row * vectors + v]), place, v)
                place = emit.ahead(place, ldc)
            return context.get_dummy_value()

        return signature, code

    return tile


add_tile = make_tile(TILE_ROWS, TILE_VECTORS)
subtract_tile = make_tile(TILE_ROWS, TILE_VECTORS, subtract=True)
_ONE_BLOCK = BLOCK // WIDTH
sum_tile, wide_sum_tile = make_tile(2, _ONE_BLOCK), make_tile(2, 2 * _ONE_BLOCK)
"""Two weighted sums of rows at once, t^T Y and w^T Y, over one block of columns or two."""
add_row_tile = make_tile(1, _ONE_BLOCK)
subtract_row_tile = make_tile(1, _ONE_BLOCK, subtract=True)


@intrinsic
def copy_row(_context: Any, source: Any, begin: Any, goal: Any, goal_begin: Any, floats: Any) -> Any:
    """Copy one row of whole vectors; left to the compiler, it checks at every row whether the arrays overlap."""
    i64 = types.int64

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        left, right = (emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 2))

        def step(block: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
            place = builder.mul(block, emit.int(BLOCK))
            for v in range(_ONE_BLOCK):
                emit.store(emit.load(emit.ahead(left, place), v), emit.ahead(right, place), v)
            return sums

        emit.sum_over(builder.sdiv(args[4], emit.int(BLOCK)), 0, step)
        return context.get_dummy_value()

    return types.void(source, i64, goal, i64, i64), code


@intrinsic
def prefetch_row(_context: Any, source: Any, begin: Any, floats: Any) -> Any:
    """Ask for the cache lines of one row."""
    i64 = types.int64

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        row = emit.begin(context, signature.args[0], args[0], args[1])

        def step(block: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
            emit.prefetch(emit.ahead(row, builder.mul(block, emit.int(BLOCK))))
            return sums

        emit.sum_over(builder.sdiv(args[2], emit.int(BLOCK)), 0, step)
        return context.get_dummy_value()

    return types.void(source, i64, i64), code
