"""Products of 16-bit integers, compiled by LLVM for the processor at hand. Needs the extra `int16` (llvmlite).

AVX2 multiplies twice as many 16-bit integers in a cycle as fp32 numbers, and adds them up in 32 bits without loss
(`vpmaddwd`), but torch has no product of such matrices. Here are the two steps of one, and no more:

    quantise    (R, K) fp32 -> (R, K) int16 and a scale for each row
    multiply    those, times packed weights (K, N) -> (R, N) fp32, with scales, bias and activation on the way out

How the numbers are chosen, so that no sum overflows, is told in `int16`.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from llvmlite import binding as llvm
from llvmlite import ir

TILE_ROWS: Final = 6
"""Rows whose sums are kept in registers; `multiply` reads and writes whole tiles."""

PANEL: Final = 16
"""Columns of the weights that lie together, and that a tile is as wide as: 6 x 16 sums are 12 of 16 registers."""

MOST: Final = 32_767
"""The largest int16; its negative is the smallest that is used."""

_LANES = 8
_UNROLLED = 2
# |x| (1 - Φ(|x|)) from 0 to 4.5, as a polynomial in |x| - 2.25: least squares at 4,001 Chebyshev nodes, weighted anew
# until the errors were even, and nothing at 4.5.
_HUMP_END = 4.5
_HUMP = (
    -1.28295696e-05, 1.47198707e-05, 2.68788601e-04, -6.03773748e-04, -1.58033089e-03, 7.53914751e-03,
    -7.9178391e-03, -1.29235545e-02, 4.87086959e-02, -5.91288991e-02, 2.74972115e-02,
)  # fmt: skip
_SMALLEST_SCALE = 1e-30  # a row of zeros has a scale, too

_I8, _I16, _I32, _I64, _F32 = (*map(ir.IntType, (8, 16, 32, 64)), ir.FloatType())
_POINTER = ir.PointerType()
_INTS, _FLOATS, _WORDS = ir.VectorType(_I32, _LANES), ir.VectorType(_F32, _LANES), ir.VectorType(_I16, 2 * _LANES)

Values = Sequence[Any]
"""Values of LLVM's in the making; llvmlite tells no types."""


@dataclass(frozen=True)
class Kernels:
    """The compiled functions; each takes addresses, then sizes. They let go of Python's lock while they run.

    Args:
        quantise: x (R, K) fp32, and where to put q (R, K) int16 and the rows' scales (R,) fp32; R, K; the most that a
            row of q may be long, as a vector.
        multiply: q (R', K) with R' = R rounded up to whole tiles, packed weights, scales of rows (R',) and of columns
            (N,), bias (N,), and where to put (R', N) fp32; R, K, N.
        multiply_gelu: The same, and the GELU of it.
        compiler: What owns their code.
    """

    quantise: Callable[..., None]
    multiply: Callable[..., None]
    multiply_gelu: Callable[..., None]
    compiler: Any


@cache
def kernels() -> Kernels:
    """Compile the kernels for this processor, a tenth of a second, once in a process."""
    module = ir.Module("int16")
    _quantise(module, "quantise")
    _multiply(module, "multiply")
    _multiply(module, "multiply_gelu", _gelu)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(llvm.get_host_cpu_name(), features, opt=3)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    compiler = llvm.create_mcjit_compiler(parsed, machine)
    compiler.finalize_object()
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    takes = {
        "quantise": [*[pointer] * 3, *[size] * 2, ctypes.c_float],
        "multiply": [*[pointer] * 6, *[size] * 3],
        "multiply_gelu": [*[pointer] * 6, *[size] * 3],
    }
    functions = {
        name: ctypes.CFUNCTYPE(None, *types)(compiler.get_function_address(name)) for name, types in takes.items()
    }
    return Kernels(**functions, compiler=compiler)


# ---- the kernels


def _quantise(module: ir.Module, name: str) -> None:
    b, (x, q, scales, rows, width, longest) = _function(module, name, [_POINTER] * 3 + [_I64] * 2 + [_F32])

    def row_by_row(row: Any, _: Values) -> Values:
        row_x, row_q = _at(b, x, b.mul(row, width), _F32), _at(b, q, b.mul(row, width), _I16)

        def measure(column: Any, found: Values) -> Values:
            squares, largest = found
            values = _load(b, row_x, column, _F32, _FLOATS)
            return _call(b, "llvm.fma", values, values, squares), _larger(b, largest, _call(b, "llvm.fabs", values))

        zeros = ir.Constant(_FLOATS, None)
        squares, largest = _loop(b, width, _LANES, [zeros, zeros], measure)
        length = _call(b, "llvm.sqrt", _reduce(b, "llvm.vector.reduce.fadd", ir.Constant(_F32, 0.0), squares))
        most = _reduce(b, "llvm.vector.reduce.fmax", largest)
        scale = _larger(b, b.fdiv(length, longest), b.fdiv(most, ir.Constant(_F32, float(MOST))))
        scale = _larger(b, scale, ir.Constant(_F32, _SMALLEST_SCALE))
        b.store(scale, _at(b, scales, row, _F32))
        factor = _spread(b, b.fdiv(ir.Constant(_F32, 1.0), scale), _FLOATS)

        def write(column: Any, _: Values) -> Values:
            scaled = b.fmul(_load(b, row_x, column, _F32, _FLOATS), factor)
            nearest = _declared(b, "llvm.x86.avx.cvt.ps2dq.256", _INTS, [_FLOATS])
            whole = b.trunc(b.call(nearest, [scaled]), ir.VectorType(_I16, _LANES))
            b.store(whole, _at(b, row_q, column, _I16), align=2)
            return []

        _loop(b, width, _LANES, [], write)
        return []

    _loop(b, rows, 1, [], row_by_row)
    b.ret_void()


def _multiply(module: ir.Module, name: str, activation: Callable[[ir.IRBuilder, Any], Any] | None = None) -> None:
    arguments = [_POINTER] * 6 + [_I64] * 3
    b, (q, weights, row_scales, scales, bias, out, rows, inputs, outputs) = _function(module, name, arguments)
    products = _declared(b, "llvm.x86.avx2.pmadd.wd", _INTS, [_WORDS] * 2)
    vectors = range(PANEL // _LANES)

    def panel_by_panel(column: Any, _: Values) -> Values:
        panel = _at(b, weights, b.mul(column, inputs), _I16)
        columns = [b.add(column, _size(_LANES * vector)) for vector in vectors]

        def tile_by_tile(first: Any, _: Values) -> Values:
            tile = [b.add(first, _size(row)) for row in range(TILE_ROWS)]
            row_q = [_at(b, q, b.mul(row, inputs), _I16) for row in tile]

            def add_products(start: Any, sums: Values) -> Values:
                for pair in range(_UNROLLED):
                    k = b.add(start, _size(2 * pair))
                    two_rows = _at(b, panel, b.mul(k, _size(PANEL)), _I16)  # of the weights: 16 pairs (2k, 2k + 1)
                    right = [_load(b, two_rows, _size(2 * _LANES * vector), _I16, _WORDS) for vector in vectors]
                    left = [b.bitcast(_spread(b, _load(b, row, k, _I16, _I32), _INTS), _WORDS) for row in row_q]
                    both = [b.call(products, [one, other]) for one in left for other in right]
                    sums = [b.add(total, product) for total, product in zip(sums, both, strict=True)]
                return sums

            zeros = [ir.Constant(_INTS, None)] * (TILE_ROWS * len(vectors))
            sums = _loop(b, inputs, 2 * _UNROLLED, zeros, add_products)
            for number, total in enumerate(sums):
                row, place = tile[number // len(vectors)], columns[number % len(vectors)]
                of_row = _spread(b, _load(b, row_scales, row, _F32, _F32), _FLOATS)
                of_column, added = (_load(b, each, place, _F32, _FLOATS) for each in (scales, bias))
                value = _call(b, "llvm.fma", b.fmul(b.sitofp(total, _FLOATS), of_row), of_column, added)
                value = activation(b, value) if activation else value
                b.store(value, _at(b, out, b.add(b.mul(row, outputs), place), _F32), align=4)
            return []

        _loop(b, rows, TILE_ROWS, [], tile_by_tile)
        return []

    _loop(b, outputs, PANEL, [], panel_by_panel)
    b.ret_void()


def _gelu(b: ir.IRBuilder, x: Any) -> Any:
    """Emit x Φ(x), with an error below 2e-5: less than the rounding of what comes of it.

    It is max(x, 0) less a hump in |x| that ends at `_HUMP_END`, for which a polynomial around the middle was fitted.
    """
    size = _call(b, "llvm.fabs", x)
    end = _number(_HUMP_END)
    inside = b.select(b.fcmp_ordered("<", size, end), size, end)
    hump = _polynomial(b, b.fsub(inside, _number(_HUMP_END / 2)), _HUMP)
    return b.fsub(_larger(b, x, _number(0.0)), hump)


# ---- words of LLVM's language


def _function(module: ir.Module, name: str, takes: list[Any]) -> tuple[ir.IRBuilder, Values]:
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), takes), name)
    for argument in function.args:
        if argument.type is _POINTER:
            argument.add_attribute("noalias")
    return ir.IRBuilder(function.append_basic_block()), function.args


def _loop(b: ir.IRBuilder, count: Any, step: int, carried: Values, body: Callable[[Any, Values], Values]) -> Values:
    """Emit a loop over 0, step, 2 step, … below `count`, at least once.

    Args:
        b: Where to emit it, and what follows.
        count: Where it ends.
        step: By how much it goes on.
        carried: The values that the first round is given.
        body: Emits a round: from its number and the values it is given to those for the next round.

    Returns:
        The values of the last round.
    """
    before, inside, after = b.block, b.append_basic_block(), b.append_basic_block()
    b.branch(inside)
    b.position_at_end(inside)
    number, given = b.phi(_I64), [b.phi(value.type) for value in carried]
    results = body(number, given)
    following = b.add(number, _size(step))
    for phi, first, next_one in zip([number, *given], [_size(0), *carried], [following, *results], strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(next_one, b.block)
    b.cbranch(b.icmp_signed("<", following, count), inside, after)
    b.position_at_end(after)
    return results


def _size(value: int) -> Any:
    return ir.Constant(_I64, value)


def _number(value: float) -> Any:
    return ir.Constant(_FLOATS, [value] * _LANES)


def _at(b: ir.IRBuilder, start: Any, places: Any, kind: Any) -> Any:
    return b.gep(start, [places], source_etype=kind)


def _load(b: ir.IRBuilder, start: Any, places: Any, kind: Any, what: Any) -> Any:
    """Emit a read of `what` at `places` numbers of `kind` from `start`, which need not be aligned to more than one."""
    return b.load(_at(b, start, places, kind), typ=what, align=2 if kind is _I16 else 4)


def _spread(b: ir.IRBuilder, value: Any, vector: Any) -> Any:
    alone = b.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_I32, 0))
    return b.shuffle_vector(alone, ir.Constant(vector, ir.Undefined), ir.Constant(_INTS, None))


def _larger(b: ir.IRBuilder, one: Any, other: Any) -> Any:
    return b.select(b.fcmp_ordered(">", other, one), other, one)  # what is no number stays that


def _polynomial(b: ir.IRBuilder, x: Any, factors: Sequence[float]) -> Any:
    """Emit a polynomial by Horner's rule, the factor of its highest power first."""
    value = _number(factors[0])
    for factor in factors[1:]:
        value = _call(b, "llvm.fma", value, x, _number(factor))
    return value


def _call(b: ir.IRBuilder, name: str, *values: Any) -> Any:
    """Call one of LLVM's own functions, whose values and result are of one type."""
    kind = values[0].type
    suffix = "f32" if kind is _F32 else f"v{_LANES}f32"
    return b.call(_declared(b, f"{name}.{suffix}", kind, [kind] * len(values)), values)


def _reduce(b: ir.IRBuilder, name: str, *values: Any) -> Any:
    return b.call(_declared(b, f"{name}.v{_LANES}f32", _F32, [value.type for value in values]), values)


def _declared(b: ir.IRBuilder, name: str, gives: Any, takes: list[Any]) -> Any:
    module = b.module
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(gives, takes), name)
