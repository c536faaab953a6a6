"""Products of 16-bit integers, compiled by LLVM for the processor at hand. Needs the extra `int16` (llvmlite).

A processor multiplies twice as many 16-bit integers in a cycle as fp32 numbers, and adds them up in 32 bits without
loss (`vpmaddwd`, or with VNNI `vpdpwssd`, which adds in the same instruction), but torch has no product of such
matrices. Here are its two steps:

    quantize    (R, K) fp32 -> (R, K) int16 and a scale for each row
    multiply    those, times packed weights (K, N) -> (R, N) fp32, with scales, bias and activation on the way out

`int16` chooses the scales so that no sum overflows.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from llvmlite import binding as llvm
from llvmlite import ir

ROW_MULTIPLE: Final = 12
"""What the rows of every tile divide, so that rounded up to it they are whole tiles of any."""

MAX_INT16: Final = 32_767
"""The largest int16; its negative is the least that is used."""

_UNROLLED = 2
# |x| (1 - Φ(|x|)) from 0 to 4.5, as a polynomial in |x| - 2.25, highest power first: least squares at 4,001 Chebyshev
# nodes, reweighted until the errors were even, and zero at 4.5.
_HUMP_END = 4.5
_HUMP = (
    -1.28295696e-05, 1.47198707e-05, 2.68788601e-04, -6.03773748e-04, -1.58033089e-03, 7.53914751e-03,
    -7.9178391e-03, -1.29235545e-02, 4.87086959e-02, -5.91288991e-02, 2.74972115e-02,
)  # fmt: skip
_MIN_SCALE = 1e-30  # a row of zeros is not divided by zero

_I16 = ir.IntType(16)
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_F32 = ir.FloatType()
_POINTER = ir.PointerType()

Values = Sequence[Any]
"""Values of LLVM's intermediate code; llvmlite has no types for them."""


@dataclass(frozen=True)
class Tile:
    """A part of a product whose sums are kept in registers.

    Attributes:
        rows: Its rows; `multiply` reads and writes whole tiles.
        columns: Its columns, and of the weights those that lie together.
        lanes: Sums in a register.
        products: LLVM's name for what multiplies pairs of 16-bit integers and adds each two products.
    """

    rows: int
    columns: int
    lanes: int
    products: str

    @property
    def ints(self) -> Any:
        """The type of a register of sums."""
        return ir.VectorType(_I32, self.lanes)

    @property
    def floats(self) -> Any:
        """The type of a register of fp32 numbers."""
        return ir.VectorType(_F32, self.lanes)

    @property
    def words(self) -> Any:
        """The type of a register of 16-bit integers."""
        return ir.VectorType(_I16, 2 * self.lanes)


NARROW: Final = Tile(6, 16, 8, "llvm.x86.avx2.pmadd.wd")
"""For AVX2: 12 of 16 registers hold sums."""

WIDE: Final = Tile(12, 32, 16, "llvm.x86.avx512.pmaddw.d.512")
"""For AVX-512: 24 of 32 registers hold sums."""


@dataclass(frozen=True)
class Kernels:
    """The compiled functions; each takes addresses, then sizes. They release Python's lock while they run.

    Attributes:
        quantize: Reads x (R, K) fp32; writes q (R, K) int16 and the rows' scales (R,) fp32; then R, K, and the largest
            L2 norm that a row of q may have.
        multiply: Reads q (R', K), with R' = R rounded up to whole tiles, packed weights, scales of rows (R',) and of
            columns (N,), bias (N,); writes (R', N) fp32; then R, K, N.
        multiply_gelu: As `multiply`, followed by the GELU.
        compiler: The owner of their code, kept alive with them.
    """

    quantize: Callable[..., None]
    multiply: Callable[..., None]
    multiply_gelu: Callable[..., None]
    compiler: Any


@cache
def kernels(tile: Tile) -> Kernels:
    """Compile the kernels for this processor, a tenth of a second, once in a process."""
    module = ir.Module("int16")
    _quantize(module, "quantize", tile)
    _multiply(module, "multiply", tile)
    _multiply(module, "multiply_gelu", tile, _gelu)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # With VNNI, `vpdpwssd` is to take the place of `vpmaddwd` and an addition. LLVM would rather have the two, for less
    # latency; but here many sums are under way, and only the number of instructions counts.
    features = f"{llvm.get_host_cpu_features().flatten()},+fast-dpwssd"
    machine = llvm.Target.from_default_triple().create_target_machine(llvm.get_host_cpu_name(), features, opt=3)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    compiler = llvm.create_mcjit_compiler(parsed, machine)
    compiler.finalize_object()
    pointer = ctypes.c_void_p
    size = ctypes.c_int64
    argument_types = {
        "quantize": [*[pointer] * 3, *[size] * 2, ctypes.c_float],
        "multiply": [*[pointer] * 6, *[size] * 3],
        "multiply_gelu": [*[pointer] * 6, *[size] * 3],
    }
    functions = {
        name: ctypes.CFUNCTYPE(None, *types)(compiler.get_function_address(name))
        for name, types in argument_types.items()
    }
    return Kernels(**functions, compiler=compiler)


# ---- the kernels


def _quantize(module: ir.Module, name: str, tile: Tile) -> None:
    b, (x, q, scales, rows, width, max_norm) = _function(module, name, [_POINTER] * 3 + [_I64] * 2 + [_F32])

    def row_by_row(row: Any, _: Values) -> Values:
        row_x = _at(b, x, b.mul(row, width), _F32)
        row_q = _at(b, q, b.mul(row, width), _I16)

        def measure(column: Any, found: Values) -> Values:
            squares, largest = found
            values = _load(b, row_x, column, _F32, tile.floats)
            squares = _call(b, "llvm.fma", values, values, squares)
            return squares, _maximum(b, largest, _call(b, "llvm.fabs", values))

        zeros = ir.Constant(tile.floats, None)
        squares, largest = _loop(b, width, tile.lanes, [zeros, zeros], measure)
        norm = _call(b, "llvm.sqrt", _reduce(b, "llvm.vector.reduce.fadd", ir.Constant(_F32, 0.0), squares))
        largest_one = _reduce(b, "llvm.vector.reduce.fmax", largest)
        scale = _maximum(b, b.fdiv(norm, max_norm), b.fdiv(largest_one, ir.Constant(_F32, float(MAX_INT16))))
        scale = _maximum(b, scale, ir.Constant(_F32, _MIN_SCALE))
        b.store(scale, _at(b, scales, row, _F32))
        factor = _broadcast(b, b.fdiv(ir.Constant(_F32, 1.0), scale), tile.floats)

        def write(column: Any, _: Values) -> Values:
            scaled = b.fmul(_load(b, row_x, column, _F32, tile.floats), factor)
            nearest = _declared(b, f"llvm.lrint.v{tile.lanes}i32.v{tile.lanes}f32", tile.ints, [tile.floats])
            quantized = b.trunc(b.call(nearest, [scaled]), ir.VectorType(_I16, tile.lanes))
            b.store(quantized, _at(b, row_q, column, _I16), align=2)
            return []

        _loop(b, width, tile.lanes, [], write)
        return []

    _loop(b, rows, 1, [], row_by_row)
    b.ret_void()


def _multiply(
    module: ir.Module, name: str, tile: Tile, activation: Callable[[ir.IRBuilder, Any], Any] | None = None
) -> None:
    arguments = [_POINTER] * 6 + [_I64] * 3
    b, (q, weights, row_scales, scales, bias, out, rows, inputs, outputs) = _function(module, name, arguments)
    products = _declared(b, tile.products, tile.ints, [tile.words] * 2)
    vectors = range(tile.columns // tile.lanes)
    held = b.alloca(tile.ints, tile.rows * len(vectors))

    def panel_by_panel(column: Any, _: Values) -> Values:
        panel = _at(b, weights, b.mul(column, inputs), _I16)

        def tile_by_tile(first: Any, _: Values) -> Values:
            row_q = [_at(b, q, b.mul(b.add(first, _i64(row)), inputs), _I16) for row in range(tile.rows)]

            def add_products(start: Any, sums: Values) -> Values:
                for pair in range(_UNROLLED):
                    k = b.add(start, _i64(2 * pair))
                    pairs = _at(b, panel, b.mul(k, _i64(tile.columns)), _I16)  # (2k, 2k + 1) of each column's weights
                    right = [_load(b, pairs, _i64(2 * tile.lanes * vector), _I16, tile.words) for vector in vectors]
                    twos = [_broadcast(b, _load(b, row, k, _I16, _I32), tile.ints) for row in row_q]
                    left = [b.bitcast(two, tile.words) for two in twos]
                    both = [b.call(products, [one, other]) for one in left for other in right]
                    sums = [b.add(total, product) for total, product in zip(sums, both, strict=True)]
                return sums

            zeros = [ir.Constant(tile.ints, None)] * (tile.rows * len(vectors))
            sums = _loop(b, inputs, 2 * _UNROLLED, zeros, add_products)
            for number, total in enumerate(sums):
                b.store(total, _at(b, held, _i64(number), tile.ints))

            def finish(row_of_tile: Any, _: Values) -> Values:  # a loop, since LLVM takes long over long code
                row = b.add(first, row_of_tile)
                of_row = _broadcast(b, _load(b, row_scales, row, _F32, _F32), tile.floats)
                for vector in vectors:
                    place = b.add(column, _i64(tile.lanes * vector))
                    number = b.add(b.mul(row_of_tile, _i64(len(vectors))), _i64(vector))
                    total = b.sitofp(b.load(_at(b, held, number, tile.ints), typ=tile.ints), tile.floats)
                    of_column = _load(b, scales, place, _F32, tile.floats)
                    added = _load(b, bias, place, _F32, tile.floats)
                    value = _call(b, "llvm.fma", b.fmul(total, of_row), of_column, added)
                    value = activation(b, value) if activation else value
                    b.store(value, _at(b, out, b.add(b.mul(row, outputs), place), _F32), align=4)
                return []

            _loop(b, _i64(tile.rows), 1, [], finish)
            return []

        _loop(b, rows, tile.rows, [], tile_by_tile)
        return []

    _loop(b, outputs, tile.columns, [], panel_by_panel)
    b.ret_void()


def _gelu(b: ir.IRBuilder, x: Any) -> Any:
    """Emit GELU(x) = x Φ(x) with an error below 2e-5, less than the rounding of the next quantization.

    x Φ(x) = max(x, 0) - |x| (1 - Φ(|x|)); the second term is a hump that is negligible from `_HUMP_END` on, and a
    polynomial below it.
    """
    magnitude = _call(b, "llvm.fabs", x)
    end = _floats(x, _HUMP_END)
    inside = b.select(b.fcmp_ordered("<", magnitude, end), magnitude, end)
    hump = _polynomial(b, b.fsub(inside, _floats(x, _HUMP_END / 2)), _HUMP)
    return b.fsub(_maximum(b, x, _floats(x, 0.0)), hump)


# ---- building blocks of LLVM's intermediate code


def _function(module: ir.Module, name: str, arguments: list[Any]) -> tuple[ir.IRBuilder, Values]:
    """Begin a function of the module; return its builder and its arguments, of which no two addresses overlap."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
    for argument in function.args:
        if argument.type is _POINTER:
            argument.add_attribute("noalias")
    return ir.IRBuilder(function.append_basic_block()), function.args


def _loop(b: ir.IRBuilder, count: Any, step: int, carried: Values, body: Callable[[Any, Values], Values]) -> Values:
    """Emit a loop over 0, step, 2 step, … below `count`, at least once.

    Args:
        b: The builder; what it emits next follows the loop.
        count: The end of the loop, at least 1.
        step: The step.
        carried: Values for the first round.
        body: Emits a round: maps its number and the values given to it to the values for the next round.

    Returns:
        The values of the last round.
    """
    before = b.block
    inside = b.append_basic_block()
    after = b.append_basic_block()
    b.branch(inside)
    b.position_at_end(inside)
    number = b.phi(_I64)
    given = [b.phi(value.type) for value in carried]
    results = body(number, given)
    following = b.add(number, _i64(step))
    for phi, first, next_one in zip([number, *given], [_i64(0), *carried], [following, *results], strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(next_one, b.block)
    b.cbranch(b.icmp_signed("<", following, count), inside, after)
    b.position_at_end(after)
    return results


def _i64(value: int) -> Any:
    return ir.Constant(_I64, value)


def _floats(like: Any, value: float) -> Any:
    return ir.Constant(like.type, [value] * like.type.count)


def _at(b: ir.IRBuilder, start: Any, index: Any, element: Any) -> Any:
    """Emit the address of the element `index` of an array."""
    return b.gep(start, [index], source_etype=element)


def _load(b: ir.IRBuilder, start: Any, index: Any, element: Any, as_type: Any) -> Any:
    """Emit a read of `as_type` at the element `index` of an array, aligned to one element only."""
    return b.load(_at(b, start, index, element), typ=as_type, align=2 if element is _I16 else 4)


def _broadcast(b: ir.IRBuilder, value: Any, vector: Any) -> Any:
    """Emit a vector of the type `vector` with `value` in each lane."""
    nothing = ir.Constant(vector, ir.Undefined)
    alone = b.insert_element(nothing, value, ir.Constant(_I32, 0))
    return b.shuffle_vector(alone, nothing, ir.Constant(ir.VectorType(_I32, vector.count), None))


def _maximum(b: ir.IRBuilder, one: Any, other: Any) -> Any:
    return b.select(b.fcmp_ordered(">", other, one), other, one)  # NaN in `one` stays NaN


def _polynomial(b: ir.IRBuilder, x: Any, coefficients: Sequence[float]) -> Any:
    """Emit a polynomial by Horner's rule, the coefficient of the highest power first."""
    value = _floats(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = _call(b, "llvm.fma", value, x, _floats(x, coefficient))
    return value


def _call(b: ir.IRBuilder, name: str, *values: Any) -> Any:
    """Emit a call of an intrinsic whose arguments and result have one type."""
    value_type = values[0].type
    suffix = "f32" if value_type is _F32 else f"v{value_type.count}f32"
    return b.call(_declared(b, f"{name}.{suffix}", value_type, [value_type] * len(values)), values)


def _reduce(b: ir.IRBuilder, name: str, *values: Any) -> Any:
    suffix = f"v{values[-1].type.count}f32"
    return b.call(_declared(b, f"{name}.{suffix}", _F32, [value.type for value in values]), values)


def _declared(b: ir.IRBuilder, name: str, result: Any, arguments: list[Any]) -> Any:
    """Return the module's function of this name, declared if it is not yet."""
    module = b.module
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)
