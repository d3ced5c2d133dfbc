package cpu

import "gorgonia.org/tensor"

// The operations of gorgonia's tensor.Engine that are fast for some tensors or only take care of
// the results' engine. What is not fast is StdEng's, errors included.

// Add implements [tensor.Adder].
func (e Engine) Add(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	if r, ok := e.binary(adding, a, b, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Add(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// AddScalar implements [tensor.Adder].
func (e Engine) AddScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	if r, ok := e.withScalar(adding, t, s, leftTensor, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.AddScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// Sub implements [tensor.Suber].
func (e Engine) Sub(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	if r, ok := e.binary(subtracting, a, b, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Sub(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// SubScalar implements [tensor.Suber].
func (e Engine) SubScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	if r, ok := e.withScalar(subtracting, t, s, leftTensor, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.SubScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// Mul implements [tensor.Muler].
func (e Engine) Mul(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	if r, ok := e.binary(multiplying, a, b, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Mul(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// MulScalar implements [tensor.Muler].
func (e Engine) MulScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	if r, ok := e.withScalar(multiplying, t, s, leftTensor, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.MulScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// Div implements [tensor.Diver].
func (e Engine) Div(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	if r, ok := e.binary(dividing, a, b, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Div(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// DivScalar implements [tensor.Diver].
func (e Engine) DivScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	if r, ok := e.withScalar(dividing, t, s, leftTensor, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.DivScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// Pow implements [tensor.Power].
func (e Engine) Pow(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	r, err = e.StdEng.Pow(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// PowScalar implements [tensor.Power].
func (e Engine) PowScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.PowScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// Mod implements [tensor.Moder].
func (e Engine) Mod(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	r, err = e.StdEng.Mod(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// ModScalar implements [tensor.Moder].
func (e Engine) ModScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.ModScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// MinBetween implements [tensor.MinBetweener].
func (e Engine) MinBetween(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	r, err = e.StdEng.MinBetween(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// MinBetweenScalar implements [tensor.MinBetweener].
func (e Engine) MinBetweenScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.MinBetweenScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// MaxBetween implements [tensor.MaxBetweener].
func (e Engine) MaxBetween(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	r, err = e.StdEng.MaxBetween(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// MaxBetweenScalar implements [tensor.MaxBetweener].
func (e Engine) MaxBetweenScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.MaxBetweenScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// Lt implements [tensor.Lter].
func (e Engine) Lt(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	r, err = e.StdEng.Lt(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// LtScalar implements [tensor.Lter].
func (e Engine) LtScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.LtScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// Lte implements [tensor.Lteer].
func (e Engine) Lte(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	r, err = e.StdEng.Lte(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// LteScalar implements [tensor.Lteer].
func (e Engine) LteScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.LteScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// Gt implements [tensor.Gter].
func (e Engine) Gt(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	r, err = e.StdEng.Gt(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// GtScalar implements [tensor.Gter].
func (e Engine) GtScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.GtScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// Gte implements [tensor.Gteer].
func (e Engine) Gte(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	r, err = e.StdEng.Gte(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// GteScalar implements [tensor.Gteer].
func (e Engine) GteScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.GteScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// ElEq implements [tensor.ElEqer].
func (e Engine) ElEq(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	r, err = e.StdEng.ElEq(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// EqScalar implements [tensor.ElEqer].
func (e Engine) EqScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.EqScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// ElNe implements [tensor.ElEqer].
func (e Engine) ElNe(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	r, err = e.StdEng.ElNe(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// NeScalar implements [tensor.ElEqer].
func (e Engine) NeScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.NeScalar(t, s, leftTensor, opts...)
	return own(e, r, err, given(opts, t, tensorIn(s)))
}

// FMA implements [tensor.FMAer]: it adds a*x to y.
func (e Engine) FMA(a, x, y tensor.Tensor) (r tensor.Tensor, err error) {
	defer told(&err, a, x, y)
	if err := absent(y); err != nil {
		return nil, err
	}
	return e.Mul(a, x, tensor.WithIncr(y))
}

// FMAScalar implements [tensor.FMAer]: it adds a*x to y.
func (e Engine) FMAScalar(a tensor.Tensor, x any, y tensor.Tensor) (r tensor.Tensor, err error) {
	defer told(&err, a, y)
	if err := absent(y); err != nil {
		return nil, err
	}
	return e.MulScalar(a, x, true, tensor.WithIncr(y))
}

// Neg implements [tensor.Neger].
func (e Engine) Neg(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(negating, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Neg(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Inv implements [tensor.Inver].
func (e Engine) Inv(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(inverting, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Inv(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Square implements [tensor.Squarer].
func (e Engine) Square(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(squaring, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Square(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Cube implements [tensor.Cuber].
func (e Engine) Cube(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(cubing, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Cube(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Exp implements [tensor.Exper].
func (e Engine) Exp(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(exponential, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Exp(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Tanh implements [tensor.Tanher].
func (e Engine) Tanh(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(hyperbolicTangent, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Tanh(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Log implements [tensor.Loger].
func (e Engine) Log(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(logarithm, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Log(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Log2 implements [tensor.Log2er].
func (e Engine) Log2(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(log2, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Log2(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Log10 implements [tensor.Log10er].
func (e Engine) Log10(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(log10, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Log10(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Sqrt implements [tensor.Sqrter].
func (e Engine) Sqrt(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(squareRoot, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Sqrt(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Cbrt implements [tensor.Cbrter].
func (e Engine) Cbrt(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(cubeRoot, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Cbrt(a, opts...)
	return own(e, r, err, given(opts, a))
}

// InvSqrt implements [tensor.InvSqrter].
func (e Engine) InvSqrt(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(inverseRoot, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.InvSqrt(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Sign implements [tensor.Signer].
func (e Engine) Sign(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(signing, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Sign(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Abs implements [tensor.Abser].
func (e Engine) Abs(a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok := e.apply(absolute, a, opts); ok {
		return r, nil
	}
	r, err = e.StdEng.Abs(a, opts...)
	return own(e, r, err, given(opts, a))
}

// Clamp implements [tensor.Clamper].
func (e Engine) Clamp(a tensor.Tensor, lo, hi any, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if u, ok := clampOf(a, lo, hi); ok {
		if r, ok := e.apply(u, a, opts); ok {
			return r, nil
		}
	}
	r, err = e.StdEng.Clamp(a, lo, hi, opts...)
	return own(e, r, err, given(opts, a))
}

// Map implements [tensor.Mapper].
func (e Engine) Map(fn any, a tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	r, err = e.StdEng.Map(fn, a, opts...)
	return own(e, r, err, given(opts, a))
}

// Reduce implements [tensor.Reducer].
func (e Engine) Reduce(fn any, a tensor.Tensor, axis int, defaultValue any, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	r, err = e.StdEng.Reduce(fn, a, axis, defaultValue, opts...)
	return own(e, r, err, given(opts, a))
}

// OptimizedReduce implements [tensor.OptimizedReducer].
func (e Engine) OptimizedReduce(a tensor.Tensor, axis int, firstFn, lastFn, defaultFn, defaultValue any, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a)
	r, err = e.StdEng.OptimizedReduce(a, axis, firstFn, lastFn, defaultFn, defaultValue, opts...)
	return own(e, r, err, given(opts, a))
}

// Argmax implements [tensor.Argmaxer]. The method of that name of *tensor.Dense goes past it,
// to a part of StdEng that no other package can replace: its result is one of StdEng.
func (e Engine) Argmax(t tensor.Tensor, axis int) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.Argmax(t, axis)
	return own(e, r, err, given(nil, t))
}

// Argmin implements [tensor.Argminer], with the reservation of Argmax.
func (e Engine) Argmin(t tensor.Tensor, axis int) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.Argmin(t, axis)
	return own(e, r, err, given(nil, t))
}

// Concat implements [tensor.Concater].
func (e Engine) Concat(t tensor.Tensor, axis int, others ...tensor.Tensor) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.Concat(t, axis, others...)
	return own(e, r, err, append([]tensor.Tensor{t}, others...))
}

// StackDense implements [tensor.DenseStacker].
func (e Engine) StackDense(t tensor.DenseTensor, axis int, others ...tensor.DenseTensor) (r tensor.DenseTensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.StackDense(t, axis, others...)
	return own(e, r, err, []tensor.Tensor{t})
}

// Repeat implements [tensor.Repeater].
func (e Engine) Repeat(t tensor.Tensor, axis int, repeats ...int) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.Repeat(t, axis, repeats...)
	return own(e, r, err, given(nil, t))
}

// RepeatReuse implements [tensor.Repeater].
func (e Engine) RepeatReuse(t, reuse tensor.Tensor, axis int, repeats ...int) (r tensor.Tensor, err error) {
	defer told(&err, t, reuse)
	r, err = e.StdEng.RepeatReuse(t, reuse, axis, repeats...)
	return own(e, r, err, given(nil, t, reuse))
}

// Diag implements [tensor.Diager].
func (e Engine) Diag(t tensor.Tensor) (r tensor.Tensor, err error) {
	defer told(&err, t)
	r, err = e.StdEng.Diag(t)
	return own(e, r, err, given(nil, t))
}

// SelectByIndices implements [tensor.ByIndiceser].
func (e Engine) SelectByIndices(a, indices tensor.Tensor, axis int, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, indices)
	r, err = e.StdEng.SelectByIndices(a, indices, axis, opts...)
	return own(e, r, err, given(opts, a, indices))
}

// SelectByIndicesB implements [tensor.ByIndiceser].
func (e Engine) SelectByIndicesB(input, outGrad, indices tensor.Tensor, axis int, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, input, outGrad, indices)
	r, err = e.StdEng.SelectByIndicesB(input, outGrad, indices, axis, opts...)
	return own(e, r, err, given(opts, input, outGrad, indices))
}

// SoftMax implements [tensor.SoftMaxer].
func (e Engine) SoftMax(x tensor.Tensor, axis int, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, x)
	r, err = e.StdEng.SoftMax(x, axis, opts...)
	return own(e, r, err, given(opts, x))
}

// SoftMaxB implements [tensor.SoftMaxer].
func (e Engine) SoftMaxB(output, grad tensor.Tensor, axis int, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, output, grad)
	r, err = e.StdEng.SoftMaxB(output, grad, axis, opts...)
	return own(e, r, err, given(opts, output, grad))
}

// LogSoftMax implements [tensor.SoftMaxer].
func (e Engine) LogSoftMax(x tensor.Tensor, axis int, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, x)
	r, err = e.StdEng.LogSoftMax(x, axis, opts...)
	return own(e, r, err, given(opts, x))
}

// LogSoftMaxB implements [tensor.SoftMaxer].
func (e Engine) LogSoftMaxB(output, grad tensor.Tensor, axis int, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, output, grad)
	r, err = e.StdEng.LogSoftMaxB(output, grad, axis, opts...)
	return own(e, r, err, given(opts, output, grad))
}

// SVD implements [tensor.SVDer].
func (e Engine) SVD(a tensor.Tensor, uv, full bool) (s, u, v tensor.Tensor, err error) {
	defer told(&err, a)
	s, u, v, err = e.StdEng.SVD(a, uv, full)
	for _, t := range []tensor.Tensor{s, u, v} {
		if t != nil {
			tensor.WithEngine(e)(t)
		}
	}
	return s, u, v, err
}
