// Package cpu is the fast engine: vector instructions where the processor has them, all processors,
// and plain Go elsewhere.
//
// Float32 is fast in every kernel, float64 in products and convolutions; every other element type
// is computed in plain Go on all processors. What is not here comes from the reference engine it
// embeds; Bound.By says which. The float32 kernels take denormals for zeros where they compute;
// comparisons, selections, extremes and logarithms see them as they are. Results have the same bits
// for any GOMAXPROCS: work is cut up only by shape, and sums of parts are added up in a fixed
// order.
//
// The algorithm of a convolution is chosen only by its shape (conv_cost.go), and Bound.Alg says
// which: "direct", "im2col", "winograd" or "nhwc stem", and for interleaved images "interleaved" or
// "interleaved winograd". Bound.Choice says what each would have cost. [ExactConv] forbids Winograd's algorithm
// and states its errors. Infinities and NaN go where they would by the definition. Max pooling of
// 2×2 and 3×3 windows with stride 2 is "vector"; it keeps denormals.
//
// Functions of float32 that are not exact are off by at most so many units in the last place (ulp),
// over all numbers from 2^-63 to 2^14, of both signs, where they are not trivial:
//
//	exp      0.9    log    0.83
//	expm1    1.45   log1p  0.9
//	tanh     1.38   erf    1.0
//	sigmoid  2.5    sin, cos, pow in general: 0.5 (in float64)
//
// GELU and SiLU, in which a small number may be the difference of large ones, are within 1.3e-7 of
// |x|, and GELU's gradient, of either form, is within 2e-7 of that by the result.
//
// A power by a multiple of 1/4, from -1 to 4, or by -2, -3 or -4 is a product of roots, within 4
// ulp.
//
// The environment variable PLEXAURA_SIMD, read at the first [New], takes slower instructions than
// the processor has: "generic" (plain Go), "avx2" or "avx512". It is there for tests and for
// finding out whether a result depends on them; any other value, or one that the processor lacks,
// is a panic that says so.
//
// A product of 8 rows or some hundred by a large matrix can work on a packed form of the matrix:
// weights that stay as they are, as in inference, then take twice their memory (vm.Memory.Packed
// says how much; vm.Without("pack") saves it) and the product is a tenth faster, at 16 rows a
// third.
//
// It is also a full gorgonia tensor.Engine: it does all that tensor.StdEng does, and its results
// keep this engine. Computed here, for dense float32 and float64:
//
//   - MatMul, MatVecMul, Inner, Outer and Dot, of transposed matrices, views and column-major order
//     as they lie;
//   - Add, Sub, Mul, Div and FMA, of two tensors or with a number, Neg, Inv, Square, Cube, Exp, Log,
//     Log2, Log10, Sqrt, Cbrt, InvSqrt, Tanh, Sign, Abs and Clamp, where nothing is masked and rows
//     follow each other;
//   - Sum, Max and Min along any axes, these for integers too.
//
// StdEng does the rest: other types, layouts and operations. This engine differs from it as
// follows:
//
//   - x/0 follows IEEE 754; in StdEng it is +Inf for any x;
//   - Max and Min of NaN are NaN;
//   - sums along an inner axis of rank 4 or more are right, and so are products of views;
//   - float32 takes denormals for zeros;
//   - a mistake about axes is an error.
//
// Only the methods Argmax and Argmin of *tensor.Dense return a tensor with StdEng, since they call
// what no other package can replace; tensor.Argmax and tensor.Argmin keep the engine.
//
// Knows shape, tensor, engine, engine/ref, internal/simd and its rooms. Never imports graph or ops.
package cpu
