package vec

import "github.com/plexaura/plexaura/internal/simd/isa"

// gateKernels are the steps of recurrent cells of one level, on n > 0 units of a row. Planes of an
// operand are stride bytes apart, and those of pre pitch. Plain Go has none: it takes maps.
type gateKernels struct {
	lstm     func(n, stride, pitch int, pre, x, prev, planes, h *float32) (csr uint32)
	gru      func(n, stride, pitch int, pre, x, prev, planes *float32) (csr uint32)
	lstmGrad func(n, stride int, dh, dy, dc, planes, prev, carry, out *float32) (csr uint32)
	gruGrad  func(n, stride int, dh, dy, planes, prev, carry, out *float32) (csr uint32)
}

// Gates are the operands of a step of a recurrent cell, for N units of a row. Planes of an operand are
// Stride elements apart, and those of Pre Pitch. An LSTM's gates are i, f, g and o, a GRU's r, z and n.
type Gates[T isa.Float] struct {
	N, Stride int
	Pitch     int
	Pre, X    []T // what the hidden state, with its bias, and the inputs contribute to the gates: a plane each
	Prev      []T // c of the step before, or a GRU's h
	H         []T // set to h; it is the first of a GRU's planes
	Planes    []T // set to c, i, f, g and o, or to h, r, z, n and q, which is the plane n of Pre
}

// LSTM computes c = f*prev + i*g and h = o*tanh(c), where i, f and o are sigmoids and g is a tanh.
func LSTM[T isa.Float](k *Kernels, s Gates[T]) {
	if g, ok := any(s).(Gates[float32]); ok && k.lstm != nil {
		end := 4*g.Stride + g.N - 1
		_, _, _ = g.Pre[3*g.Pitch+g.N-1], g.X[end-g.Stride], g.Planes[end]
		_, _ = g.Prev[g.N-1], g.H[g.N-1]
		k.lstm(g.N, 4*g.Stride, 4*g.Pitch, &g.Pre[0], &g.X[0], &g.Prev[0], &g.Planes[0], &g.H[0])
		return
	}
	c, i, f, g, o, h := s.plane(0), s.plane(1), s.plane(2), s.plane(3), s.plane(4), s.H[:s.N]
	for j, y := range [...][]T{i, f, g, o} {
		along(k, Add, y, s.Pre[j*s.Pitch:], s.X[j*s.Stride:])
	}
	for _, y := range [...][]T{i, f, o} {
		along(k, Sigmoid, y, y, y)
	}
	along(k, Tanh, g, g, g)
	along(k, Mul, c, f, s.Prev)
	along(k, Mul, h, i, g)
	along(k, Add, c, c, h)
	along(k, Tanh, h, c, c)
	along(k, Mul, h, h, o)
}

// GRU computes n = tanh(x + r*q) and h = n + z*(prev-n), where r and z are sigmoids.
func GRU[T isa.Float](k *Kernels, s Gates[T]) {
	if g, ok := any(s).(Gates[float32]); ok && k.gru != nil {
		end := 4*g.Stride + g.N - 1
		_, _, _, _ = g.Pre[2*g.Pitch+g.N-1], g.X[end-2*g.Stride], g.Planes[end], g.Prev[g.N-1]
		k.gru(g.N, 4*g.Stride, 4*g.Pitch, &g.Pre[0], &g.X[0], &g.Prev[0], &g.Planes[0])
		return
	}
	h, r, z, n, q := s.plane(0), s.plane(1), s.plane(2), s.plane(3), s.plane(4)
	for j, y := range [...][]T{r, z} {
		along(k, Add, y, s.Pre[j*s.Pitch:], s.X[j*s.Stride:])
		along(k, Sigmoid, y, y, y)
	}
	copy(q, s.Pre[2*s.Pitch:])
	along(k, Mul, n, r, q)
	along(k, Add, n, n, s.X[2*s.Stride:])
	along(k, Tanh, n, n, n)
	along(k, Sub, h, s.Prev, n)
	along(k, Mul, h, h, z)
	along(k, Add, h, h, n)
}

func (s *Gates[T]) plane(k int) []T { return s.Planes[k*s.Stride:][:s.N] }

// along is Map or Map64 without a constant.
func along[T isa.Float](k *Kernels, op Op, dst, x, y []T) {
	switch d := any(dst).(type) {
	case []float32:
		k.Map(op, d, any(x).([]float32), any(y).([]float32), 0)
	case []float64:
		k.Map64(op, d, any(x).([]float64), any(y).([]float64), 0)
	}
}

// GateGrads are the operands of the gradient of a step.
type GateGrads[T isa.Float] struct {
	N, Stride int
	DH, DY    []T // the two terms of the adjoint of h
	DC        []T // what is added to that of c; a GRU has none
	Inner     []T // the adjoints of the last four planes, or nil
	Planes    []T // as [Gates] has them
	Prev      []T
	Carry     []T // the last term of the adjoint of c, or of a GRU's h; set to that of the step before
	Out       []T // set to the adjoints of i, f, g and o before their functions; or of n, r and z, and of q
}

// LSTMGrad computes the gradient of [LSTM].
func LSTMGrad[T isa.Float](k *Kernels, s GateGrads[T]) {
	if g, ok := any(s).(GateGrads[float32]); ok && k.lstmGrad != nil && g.Inner == nil {
		end := 4*g.Stride + g.N - 1
		_, _, _, _ = g.Planes[end], g.Out[end-g.Stride], g.DH[g.N-1], g.DY[g.N-1]
		_, _, _ = g.DC[g.N-1], g.Prev[g.N-1], g.Carry[g.N-1]
		k.lstmGrad(g.N, 4*g.Stride, &g.DH[0], &g.DY[0], &g.DC[0], &g.Planes[0], &g.Prev[0], &g.Carry[0], &g.Out[0])
		return
	}
	u := s.Stride
	along(k, Tanh, s.Out[3*u:][:s.N], s.Planes, s.Planes)
	for j := range s.N {
		i, f, g, o, t := s.Planes[u+j], s.Planes[2*u+j], s.Planes[3*u+j], s.Planes[4*u+j], s.Out[3*u+j]
		dh := s.DH[j] + s.DY[j]
		dc := dh*o*(1-t*t) + s.Carry[j] + s.DC[j]
		s.Out[j] = (dc*g + s.inner(0, j)) * i * (1 - i)
		s.Out[u+j] = (dc*s.Prev[j] + s.inner(1, j)) * f * (1 - f)
		s.Out[2*u+j] = (dc*i + s.inner(2, j)) * (1 - g*g)
		s.Out[3*u+j] = (dh*t + s.inner(3, j)) * o * (1 - o)
		s.Carry[j] = dc * f
	}
}

// GRUGrad computes the gradient of [GRU].
func GRUGrad[T isa.Float](k *Kernels, s GateGrads[T]) {
	if g, ok := any(s).(GateGrads[float32]); ok && k.gruGrad != nil && g.Inner == nil {
		end := 4*g.Stride + g.N - 1
		_, _, _, _ = g.Planes[end], g.Out[end-g.Stride], g.DH[g.N-1], g.DY[g.N-1]
		_, _ = g.Prev[g.N-1], g.Carry[g.N-1]
		k.gruGrad(g.N, 4*g.Stride, &g.DH[0], &g.DY[0], &g.Planes[0], &g.Prev[0], &g.Carry[0], &g.Out[0])
		return
	}
	u := s.Stride
	for j := range s.N {
		r, z, n, q := s.Planes[u+j], s.Planes[2*u+j], s.Planes[3*u+j], s.Planes[4*u+j]
		dh := s.DH[j] + s.DY[j] + s.Carry[j]
		dn := (dh*(1-z) + s.inner(2, j)) * (1 - n*n)
		s.Out[j] = dn
		s.Out[u+j] = (dn*q + s.inner(0, j)) * r * (1 - r)
		s.Out[2*u+j] = (dh*(s.Prev[j]-n) + s.inner(1, j)) * z * (1 - z)
		s.Out[3*u+j] = dn*r + s.inner(3, j)
		s.Carry[j] = dh * z
	}
}

func (s *GateGrads[T]) inner(k, j int) T {
	if s.Inner == nil {
		return 0
	}
	return s.Inner[k*s.Stride+j]
}
