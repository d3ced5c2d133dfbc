package enginetest

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/shape"
)

var long = flag.Bool("long", false, "every trial of the reference engine")

// A part of the trials, which compare ref with itself; all of them with -long.
func TestRefConforms(t *testing.T) { Run(t, ref.Engine{}, Options{Brief: !*long}) }

// The oracle for layouts goes through the checks of others.
func TestLaidConforms(t *testing.T) { Run(t, oracle, Options{Brief: true, Allocates: true}) }

// spoiled is the oracle with kernels that something was done to.
type spoiled struct {
	Laid
	family string // whose kernels
	method string // the Bind method, or "" for all
	spoil  func(b engine.Bound, in []engine.Operand, out engine.Operand) (engine.Bound, error)
}

func (e spoiled) bound(family, method string, in []engine.Operand, out engine.Operand, b engine.Bound, err error) (engine.Bound, error) {
	switch family {
	case "Conv2Der", "MaxPooler", "ConvPooler", "AvgPooler":
		if in[0].Layout != engine.Rows {
			family = "Layouter"
		}
	}
	if err != nil || family != e.family || e.method != "" && method != e.method {
		return b, err
	}
	return e.spoil(b, in, out)
}

func (e spoiled) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindMap(m, in, out)
	return e.bound("Mapper", "Map", in, out[0], b, err)
}

func (e spoiled) BindReduce(r engine.Reduction, axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindReduce(r, axes, in, out)
	return e.bound("Reducer", r.String(), in, out, b, err)
}

func (e spoiled) BindMatMul(m engine.MatMul, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindMatMul(m, in, out)
	return e.bound("MatMuler", "MatMul", in, out, b, err)
}

func (e spoiled) BindConv2D(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindConv2D(c, in, out)
	return e.bound("Conv2Der", "Conv2D", in, out, b, err)
}

func (e spoiled) BindConv2DInputGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindConv2DInputGrad(c, in, out)
	return e.bound("Conv2Der", "Conv2DInputGrad", in, out, b, err)
}

func (e spoiled) BindConv2DFilterGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindConv2DFilterGrad(c, in, out)
	return e.bound("Conv2Der", "Conv2DFilterGrad", in, out, b, err)
}

func (e spoiled) BindMaxPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindMaxPool2D(p, in, out)
	return e.bound("MaxPooler", "MaxPool2D", in, out, b, err)
}

func (e spoiled) BindMaxPool2DScatter(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindMaxPool2DScatter(p, in, out)
	return e.bound("MaxPooler", "MaxPool2DScatter", in, out, b, err)
}

func (e spoiled) BindMaxPool2DGather(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindMaxPool2DGather(p, in, out)
	return e.bound("MaxPooler", "MaxPool2DGather", in, out, b, err)
}

func (e spoiled) BindConv2DMaxPool(c engine.Conv2D, p engine.Pool2D, in []engine.Operand, y shape.Type, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindConv2DMaxPool(c, p, in, y, out)
	return e.bound("ConvPooler", "Conv2DMaxPool", in, out, b, err)
}

func (e spoiled) BindAvgPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindAvgPool2D(p, in, out)
	return e.bound("AvgPooler", "AvgPool2D", in, out, b, err)
}

func (e spoiled) BindAvgPool2DGrad(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindAvgPool2DGrad(p, in, out)
	return e.bound("AvgPooler", "AvgPool2DGrad", in, out, b, err)
}

func (e spoiled) BindSoftmax(log bool, axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindSoftmax(log, axis, in, out)
	return e.bound("Softmaxer", "Softmax", in, out, b, err)
}

func (e spoiled) BindSoftmaxGrad(log bool, axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindSoftmaxGrad(log, axis, in, out)
	return e.bound("Softmaxer", "SoftmaxGrad", in, out, b, err)
}

func (e spoiled) BindWindowSum(w engine.WindowSum, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindWindowSum(w, in, out)
	return e.bound("WindowSummer", "WindowSum", in, out, b, err)
}

func (e spoiled) BindTranspose(p engine.Perm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindTranspose(p, in, out)
	return e.bound("Mover", "Transpose", in, out, b, err)
}

func (e spoiled) BindSlice(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindSlice(w, in, out)
	return e.bound("Mover", "Slice", in, out, b, err)
}

func (e spoiled) BindEmbed(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindEmbed(w, in, out)
	return e.bound("Mover", "Embed", in, out, b, err)
}

func (e spoiled) BindAddPart(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindAddPart(w, in, out)
	return e.bound("Accumulator", "AddPart", in, out, b, err)
}

func (e spoiled) BindConcat(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindConcat(axis, in, out)
	return e.bound("Mover", "Concat", in, out, b, err)
}

func (e spoiled) BindPad(p engine.Padding, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindPad(p, in, out)
	return e.bound("Mover", "Pad", in, out, b, err)
}

func (e spoiled) BindPadGrad(p engine.Padding, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindPadGrad(p, in, out)
	return e.bound("Mover", "PadGrad", in, out, b, err)
}

func (e spoiled) BindOneHot(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindOneHot(in, out)
	return e.bound("Mover", "OneHot", in, out, b, err)
}

func (e spoiled) BindRandom(d engine.Distribution, stream uint64, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindRandom(d, stream, in, out)
	return e.bound("Randomer", "Random", in, out, b, err)
}

func (e spoiled) BindGather(g engine.Gather, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindGather(g, in, out)
	return e.bound("Indexer", "Gather", in, out, b, err)
}

func (e spoiled) BindResample(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindResample(axis, in, out)
	return e.bound("Resampler", "Resample", in, out, b, err)
}

func (e spoiled) BindScatterAdd(g engine.Gather, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindScatterAdd(g, in, out)
	return e.bound("Indexer", "ScatterAdd", in, out, b, err)
}

func (e spoiled) BindTopK(t engine.TopK, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindTopK(t, in, out)
	return e.bound("Indexer", "TopK", in, out, b, err)
}

func (e spoiled) BindCumSum(s engine.CumSum, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindCumSum(s, in, out)
	return e.bound("Scanner", "CumSum", in, out, b, err)
}

func (e spoiled) BindMoments(axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindMoments(axes, in, out)
	return e.bound("Normaliser", "Moments", in, out, b, err)
}

func (e spoiled) BindNorm(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindNorm(n, in, out)
	return e.bound("Normaliser", "Norm", in, out, b, err)
}

func (e spoiled) BindNormInputGrad(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindNormInputGrad(n, in, out)
	return e.bound("Normaliser", "NormInputGrad", in, out, b, err)
}

func (e spoiled) BindNormSums(n engine.Norm, over engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindNormSums(n, over, in, out)
	return e.bound("Normaliser", "NormSums", in, out, b, err)
}

func (e spoiled) BindRecurrence(r engine.Recurrence, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindRecurrence(r, in, out)
	return e.bound("Recurrer", "Recurrence", in, out, b, err)
}

func (e spoiled) BindRecurrenceGrad(r engine.RecurrenceGrad, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindRecurrenceGrad(r, in, out)
	return e.bound("Recurrer", "RecurrenceGrad", in, out, b, err)
}

func (e spoiled) BindAttention(a engine.Attention, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindAttention(a, in, out)
	return e.bound("Attender", "Attention", in, out, b, err)
}

func (e spoiled) BindAttentionGrad(a engine.Attention, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindAttentionGrad(a, in, out)
	return e.bound("Attender", "AttentionGrad", in, out, b, err)
}

func (e spoiled) BindScatter(s engine.Scatter, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindScatter(s, in, out)
	return e.bound("Indexer", "Scatter", in, out, b, err)
}

func (e spoiled) BindLinearScan(axis int, reverse bool, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindLinearScan(axis, reverse, in, out)
	return e.bound("Scanner", "LinearScan", in, out, b, err)
}

func (e spoiled) BindUpdateSlice(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindUpdateSlice(axis, in, out)
	return e.bound("Indexer", "UpdateSlice", in, out, b, err)
}

func (e spoiled) BindQuantise(q engine.Quant, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindQuantise(q, in, out)
	return e.bound("Quantiser", "Quantise", in, out, b, err)
}

func (e spoiled) BindQuantConv2D(c engine.Conv2D, q engine.Quantised, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindQuantConv2D(c, q, in, out)
	return e.bound("Quantiser", "QuantConv2D", in, out, b, err)
}

func (e spoiled) BindQuantMatMul(m engine.MatMul, q engine.Quantised, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindQuantMatMul(m, q, in, out)
	return e.bound("Quantiser", "QuantMatMul", in, out, b, err)
}

func (e spoiled) BindQuantMaxPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Laid.BindQuantMaxPool2D(p, in, out)
	return e.bound("Quantiser", "QuantMaxPool2D", in, out, b, err)
}

// methods are the kernels by family.
var methods = map[string][]string{
	"Mapper":    {"Map"},
	"Reducer":   {"Sum", "Prod", "Max", "Min"},
	"MatMuler":  {"MatMul"},
	"Conv2Der":  {"Conv2D", "Conv2DInputGrad", "Conv2DFilterGrad"},
	"MaxPooler": {"MaxPool2D", "MaxPool2DScatter", "MaxPool2DGather"},
	"AvgPooler": {"AvgPool2D", "AvgPool2DGrad"},
	"Layouter":  {"Conv2D", "Conv2DInputGrad", "Conv2DFilterGrad", "MaxPool2D", "MaxPool2DScatter", "Conv2DMaxPool", "AvgPool2D", "AvgPool2DGrad"},
	"Softmaxer": {"Softmax", "SoftmaxGrad"},

	"Normaliser": {"Moments", "Norm", "NormInputGrad", "NormSums"},
	"Recurrer":   {"Recurrence", "RecurrenceGrad"},
	"Attender":   {"Attention", "AttentionGrad"},
	"Mover":      {"Transpose", "Slice", "Embed", "Concat", "Pad", "PadGrad", "OneHot"},
	"Indexer":    {"Gather", "ScatterAdd", "Scatter", "TopK", "UpdateSlice"},
	"Scanner":    {"CumSum", "LinearScan"},
	"Resampler":  {"Resample"},
	"Randomer":   {"Random"},
	"Quantiser":  {"Quantise", "QuantConv2D", "QuantMatMul", "QuantMaxPool2D"},

	"ConvPooler":   {"Conv2DMaxPool"},
	"WindowSummer": {"WindowSum"},
	"Accumulator":  {"AddPart"},
}

// failure returns what is first found wrong with e's kernels of a family: in a part of the trials or, if there is nothing, in all.
func failure(e engine.Engine, name string, o Options) error {
	f := families[slices.IndexFunc(families, func(f family) bool { return f.name == name })]
	for _, o.Brief = range []bool{true, false} {
		for err := range f.failures(e, o) {
			return err
		}
	}
	return nil
}

// after returns a spoiler that lets the kernel run and then does something to the call.
func after(f func(c *engine.Call)) func(engine.Bound, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return func(b engine.Bound, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
		k := b.Kernel
		b.Kernel = func(c *engine.Call) error {
			err := k(c)
			f(c)
			return err
		}
		return b, nil
	}
}

// before returns a spoiler that does something to the call first.
func before(f func(c *engine.Call)) func(engine.Bound, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return func(b engine.Bound, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
		k := b.Kernel
		b.Kernel = func(c *engine.Call) error {
			f(c)
			return k(c)
		}
		return b, nil
	}
}

// nudge changes the last element of the output as little as is not excused anywhere.
func nudge(c *engine.Call) {
	b := c.Out[0]
	n := b.Len() - 1
	switch {
	case n < 0:
	case b.DType() == shape.Float32:
		s := engine.Slice[float32](b)
		s[n] += 1e-3 + 1e-3*abs(s[n])
	case b.DType() == shape.Float64:
		s := engine.Slice[float64](b)
		s[n] += 1e-9 + 1e-9*abs(s[n])
	default:
		b.Bytes()[n*b.DType().Width()] ^= 1
	}
}

func abs[T shape.Float](v T) T { return max(v, -v) }

func TestOneWrongElementIsNoticed(t *testing.T) {
	for _, f := range families {
		require.NotEmpty(t, methods[f.name])
		for _, m := range methods[f.name] {
			err := failure(spoiled{Laid: oracle, family: f.name, method: m, spoil: after(nudge)}, f.name, Options{Allocates: true})
			require.ErrorContains(t, err, "result: ", "%s of %s", m, f.name)
		}
	}
}

// at is the byte n bytes from the start of b, which may be outside.
func at(b []byte, n int) *byte { return (*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), n)) }

var (
	sink   atomic.Pointer[[]byte]
	peeked atomic.Int32
)

func TestBrokenContractsAreNoticed(t *testing.T) {
	for _, c := range []struct {
		name, want string
		families   []string // nil for all
		spoil      func(engine.Bound, []engine.Operand, engine.Operand) (engine.Bound, error)
	}{
		{"refuses", "refused", nil, func(b engine.Bound, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
			return b, engine.Unsupported("spoiled", "kernel", in)
		}},
		{"does not say whose", "description", nil, func(b engine.Bound, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
			b.By = ""
			return b, nil
		}},
		{"marked as failing", "marked as one that fails", nil, func(b engine.Bound, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
			b.Fails = true
			return b, nil
		}},
		{"fails", "error without the mark", nil, func(b engine.Bound, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
			b.Kernel = func(*engine.Call) error { return errors.New("no") }
			return b, nil
		}},
		{"panics", "panic: no", nil, before(func(*engine.Call) { panic("no") })},
		{"writes an input", "wrote to input 0", nil, after(func(c *engine.Call) {
			if m := c.In[0].Bytes(); len(m) > 0 {
				m[0]++
			}
		})},
		{"writes after an output", "wrote beyond", nil, after(func(c *engine.Call) { *at(c.Out[0].Bytes(), len(c.Out[0].Bytes()))++ })},
		{"writes before an output", "wrote beyond", nil, after(func(c *engine.Call) { *at(c.Out[0].Bytes(), -1)++ })},
		{"writes after an input", "wrote beyond", nil, after(func(c *engine.Call) { *at(c.In[0].Bytes(), len(c.In[0].Bytes()))++ })},
		{"writes beyond its scratch", "wrote beyond", nil, after(func(c *engine.Call) { *at(c.Scratch.Bytes(), c.Scratch.Len())++ })},
		{"writes an output it has no right to put there", "in place", []string{"Mover", "Softmaxer"}, func(b engine.Bound, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			k := b.Kernel
			b.InPlace = nil
			if in[0].Bytes() == out.Bytes() {
				b.InPlace = []engine.Overwrite{{Out: 0, In: 0}}
			}
			b.Kernel = func(c *engine.Call) error {
				for i := range c.Out[0].Bytes() {
					c.Out[0].Bytes()[i] = 0
				}
				return k(c)
			}
			return b, nil
		}},
		{"claims to overwrite an input of another size", "cannot be put over", []string{"Mapper", "Reducer", "Mover"}, func(b engine.Bound, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			if in[0].Bytes() != out.Bytes() {
				b.InPlace = []engine.Overwrite{{Out: 0, In: 0}}
			}
			return b, nil
		}},
		{"reads after an input", "must not be touched", nil, after(func(c *engine.Call) { peeked.Store(int32(*at(c.In[0].Bytes(), len(c.In[0].Bytes())))) })},
		{"reads before an output", "must not be touched", nil, after(func(c *engine.Call) { peeked.Store(int32(*at(c.Out[0].Bytes(), -1))) })},
		{"packs wrongly", "packed", nil, func(b engine.Bound, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
			k := b.Kernel
			b.Kernel = func(c *engine.Call) error {
				err := k(c)
				if c.Packed.Valid() {
					nudge(c)
				}
				return err
			}
			b.Packing = engine.Packing{Bytes: in[0].Bytes(), Kernel: func(c *engine.Call) error {
				copy(c.Out[0].Bytes(), c.In[0].Bytes())
				return nil
			}, Rest: b.Scratch}
			return b, nil
		}},
		{"packs with more scratch than it has", "it packs input 0", nil, func(b engine.Bound, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
			b.Packing = engine.Packing{Kernel: b.Kernel, Rest: b.Scratch + 1}
			return b, nil
		}},
		{"takes what the output held", "dirty", nil, func(b engine.Bound, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
			k := b.Kernel
			b.Kernel = func(c *engine.Call) error {
				held := c.Out[0].Len() > 0 && c.Out[0].Bytes()[0] == 1
				err := k(c)
				if held {
					nudge(c)
				}
				return err
			}
			return b, nil
		}},
		{"depends on alignment", "dirty", nil, after(func(c *engine.Call) {
			if len(c.In[0].Bytes()) > 0 && uintptr(unsafe.Pointer(&c.In[0].Bytes()[0]))%64 != 0 {
				nudge(c)
			}
		})},
		{"depends on GOMAXPROCS", "GOMAXPROCS", nil, after(func(c *engine.Call) {
			if runtime.GOMAXPROCS(0) == 8 {
				nudge(c)
			}
		})},
		{"depends on how often it ran", "other bits", nil, func(b engine.Bound, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			var calls atomic.Int32 // of this kernel: its first results are right
			return after(func(c *engine.Call) {
				if calls.Add(1)%9 == 0 {
					nudge(c)
				}
			})(b, in, out)
		}},
		{"allocates", "allocations", nil, after(func(*engine.Call) {
			m := make([]byte, 8)
			sink.Store(&m)
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want == "allocations" && raceDetector {
				t.Skip("the race detector allocates itself")
			}
			if c.want == "must not be touched" && !hasGuards {
				t.Skip("only writes are noticed here")
			}
			if c.families == nil {
				c.families = slices.Sorted(maps.Keys(methods))
			}
			for _, family := range c.families {
				require.ErrorContains(t, failure(spoiled{Laid: oracle, family: family, spoil: c.spoil}, family, Options{}), c.want, family)
			}
		})
	}
}

// A class number out of range must be refused.
func TestMissingErrorIsNoticed(t *testing.T) {
	e := spoiled{Laid: oracle, family: "Mover", method: "OneHot", spoil: func(b engine.Bound, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
		k := b.Kernel
		b.Kernel = func(c *engine.Call) error {
			_ = k(c)
			return nil
		}
		return b, nil
	}}
	require.ErrorContains(t, failure(e, "Mover", Options{}), "no error")
}

// A kernel that keeps something of a run in itself.
func TestStateSharedByRunsIsNoticed(t *testing.T) {
	if raceDetector {
		t.Skip("it is a race")
	}
	e := spoiled{Laid: oracle, family: "Mapper", spoil: func(b engine.Bound, _ []engine.Operand, out engine.Operand) (engine.Bound, error) {
		k, state := b.Kernel, make([]byte, out.Bytes())
		b.Kernel = func(c *engine.Call) error {
			err := k(c)
			copy(state, c.Out[0].Bytes())
			runtime.Gosched()
			copy(c.Out[0].Bytes(), state)
			clear(state)
			return err
		}
		return b, nil
	}}
	require.ErrorContains(t, failure(e, "Mapper", Options{}), "in many goroutines")
}

func TestLacksAreSkipped(t *testing.T) {
	type bare struct{ engine.Engine }
	for _, f := range families {
		require.False(t, f.offered(bare{ref.Engine{}}), f.name)
		require.True(t, f.offered(oracle), f.name)
	}
}

// A part of the trials runs with -short; all of them can.
func TestEveryTrialIsOneThatRefTakes(t *testing.T) {
	for _, f := range families {
		for i, tr := range f.trials(oracle, Options{}) {
			_, err := tr.bind(oracle, engine.InRows(tr.in...), engine.InRows(tr.out...))
			require.NoError(t, err, "%s %d: %v", f.name, i, tr)
		}
	}
}

// The table has every function in every type that has it.
func TestEveryFunctionIsTried(t *testing.T) {
	tried := map[string]bool{}
	for _, tr := range mapTable(&gen{engine: ref.Engine{}}) {
		tried[fmt.Sprint(tr.op, tr.in[:min(1, len(tr.in))])] = true
	}
	for f := engine.Copy; int(f) < engine.NumFns; f++ {
		d := shape.Float32
		if f == engine.Not || f == engine.And || f == engine.Or || f == engine.Select {
			d = shape.Bool
		}
		if f >= engine.BitAnd && f <= engine.ShiftRight {
			d = shape.Int32
		}
		to := resultsOf(f, d)[0]
		if f == engine.Select {
			to = shape.Float32
		}
		args := []engine.Arg{engine.In(0), engine.In(1), engine.In(2)}[:f.Arity()]
		require.True(t, tried[fmt.Sprint(engine.MapOf(f, to, args...).String(), []shape.Type{shape.Make(d, 1213)})], f.String())
	}
}

// A kernel in methods is one that trials notice a fault of.
func TestEveryKernelThatRefBindsIsTried(t *testing.T) {
	tried := map[string]bool{"BindReduce": true} // by the names of its functions
	for _, names := range methods {
		for _, name := range names {
			tried["Bind"+name] = true
		}
	}
	for m := range reflect.TypeFor[ref.Engine]().Methods() {
		if strings.HasPrefix(m.Name, "Bind") {
			require.True(t, tried[m.Name], "engine/ref has %s, of which enginetest has no trial in methods", m.Name)
		}
	}
}
