package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/memlimit"
	"github.com/plexaura/plexaura/models/alexnet"
	"github.com/plexaura/plexaura/models/mobilenet"
	"github.com/plexaura/plexaura/models/squeezenet"
	"github.com/plexaura/plexaura/models/vgg"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// benchCase is one row of the performance table.
type benchCase struct {
	name string
	make func(e engine.Engine, opts ...vm.Option) (*workload, error)
}

// workload is what a case times: a machine and its inputs.
type workload struct {
	program *vm.Program
	store   *vm.Store
	machine *vm.Machine
	inputs  []*tensor.Dense
	flops   float64 // of a run
	check   func(w *workload) (float64, error)
	err     float64 // of the first output, if it is in 8-bit integers; see distanceFrom
}

func (w *workload) run() ([]*tensor.Dense, error) {
	return w.machine.Run(context.Background(), w.inputs...)
}

func benchCases() (cases []benchCase) {
	for _, n := range []int{512, 1024, 2048} {
		cases = append(cases, benchCase{fmt.Sprintf("gemm/%d", n), func(e engine.Engine, opts ...vm.Option) (*workload, error) { return gemmCase(e, n, opts...) }})
	}
	cases = append(cases, benchCase{"conv3x3/fwd", conv3x3Fwd}, benchCase{"conv3x3/bwd", conv3x3Bwd})
	m := models()
	plain := func(name string, build func(classes int) nn.Layer) model {
		net := m[name]
		net.build = build
		return net
	}
	for _, c := range []struct {
		name         string
		model        model
		infer, train []int // batch sizes
	}{
		{"lenet", m["lenet"], []int{1, 64, 256}, []int{1, 64, 256}},
		{"alexnet", plain("alexnet", func(n int) nn.Layer { return alexnet.New(n, 0) }), []int{1, 16, 64}, []int{4, 16, 64}},
		{"resnet18", m["resnet18"], []int{1, 16}, []int{16}},
		{"resnet50", m["resnet50"], []int{1, 16}, []int{16}},
		{"mobilenetv2", plain("mobilenetv2", func(n int) nn.Layer { return mobilenet.NewV2(n, 0) }), []int{1, 16}, []int{16}},
		{"squeezenet", plain("squeezenet", func(n int) nn.Layer { return squeezenet.New(n, 0) }), []int{1, 16}, []int{16}},
		{"vgg16", plain("vgg16", func(n int) nn.Layer { return vgg.New(vgg.Plan16, n, 0) }), []int{1, 16}, []int{4}},
	} {
		for _, n := range c.infer {
			cases = append(cases, benchCase{fmt.Sprintf("%s/infer/%d", c.name, n), func(e engine.Engine, opts ...vm.Option) (*workload, error) { return inferCase(e, c.model, n, opts...) }})
		}
		for _, n := range c.train {
			cases = append(cases, benchCase{fmt.Sprintf("%s/train/%d", c.name, n), func(e engine.Engine, opts ...vm.Option) (*workload, error) { return trainCase(e, c.model, n, opts...) }})
		}
	}
	return cases
}

func bench(ctx context.Context, c *call) error {
	asJSON := c.Bool("json", false, "print one JSON object a case")
	name := c.String("case", "", "run only this `case`; see the list without -json")
	threads := c.Int("threads", runtime.GOMAXPROCS(0), "how many threads compute; with -clients, for each client")
	clients := c.Int("clients", 0, "time inference for so many clients at a time: runs a second of all, and how long one takes")
	engineName := c.String("engine", "cpu", "one of "+list(engines()))
	layers := c.String("layers", "", "instead of the cases, time every instruction of this `model`")
	batch := c.Int("batch", 64, "batch size of -layers")
	single := c.Bool("ops", false, "time single ops instead, on one thread; -case is a regular expression")
	mode := c.String("ops-mode", "", "of -ops, for scripts: list prints the table of cases, turns times each case that a line of input names")
	bf16 := c.Bool("bf16", false, "compute in bfloat16 (no engine does yet)")
	weights := c.pickWeightsType()
	int8s := c.Bool("int8", false, "infer in 8-bit integers, by the ranges that the case's own images give")
	if err := c.parse(false); err != nil {
		return err
	}
	if *bf16 {
		return usagef("-bf16: no engine computes in bfloat16; run without it, or with -weights-type bfloat16")
	}
	opts, err := weights.options()
	if err != nil {
		return err
	}
	if *int8s && len(opts) > 0 {
		return usagef("-int8: weights are int8 then; run it without -weights-type")
	}
	e, err := findEngine(*engineName)
	if err != nil {
		return err
	}
	if *clients > 0 && (*single || *layers != "" || *name != "" && !strings.Contains(*name, "/infer/")) {
		return usagef("-clients: only of inference cases; run it without -ops and -layers")
	}
	if *single && *int8s {
		return usagef("-int8: single ops are in float32 and float64; run it without -ops")
	}
	if *single {
		runtime.GOMAXPROCS(1)
		return benchOps(ctx, opsRun{e, c.stdout, *asJSON}, *name, *mode)
	}
	if *layers != "" {
		if *asJSON || *name != "" {
			return usagef("-layers prints a table of its own; run it without -json and -case")
		}
		m, err := findModel(*layers)
		if err != nil {
			return err
		}
		runtime.GOMAXPROCS(*threads)
		if *int8s {
			return benchInt8Layers(ctx, c.stdout, e, m, *batch)
		}
		return benchLayers(ctx, c.stdout, e, m, *batch, measureLimits(), opts...)
	}
	cases := benchCases()
	if (len(opts) > 0 || *int8s) && *name == "" {
		cases = slices.DeleteFunc(cases, func(b benchCase) bool { return !strings.Contains(b.name, "/infer/") })
	}
	if *name != "" {
		i := slices.IndexFunc(cases, func(b benchCase) bool { return b.name == *name })
		if i < 0 {
			names := make([]string, len(cases))
			for i, b := range cases {
				names[i] = b.name
			}
			return usagef("no case %q; there are %s", *name, strings.Join(names, ", "))
		}
		if len(opts) > 0 && strings.Contains(*name, "/train/") {
			return usagef("-weights-type: %s trains, which is done in %v", *name, weightsTypes[0])
		}
		if *int8s && !strings.Contains(*name, "/infer/") {
			return usagef("-int8: %s does not infer with a model", *name)
		}
		cases = cases[i : i+1]
	}
	if *int8s {
		for i, b := range cases {
			cases[i].make = inInt8(ctx, b.make)
		}
	}
	if *clients > 0 {
		return benchClients(ctx, c, e, cases, *clients, *threads, *asJSON, opts...)
	}
	runtime.GOMAXPROCS(*threads)
	limits := measureLimits()
	if !*asJSON {
		fmt.Fprintf(c.stdout, "%d threads, engine %s: %.0f GFLOP/s of multiply-adds, %.1f GB/s\n\n", *threads, e.Name(), limits.gflops, limits.gbs)
		fmt.Fprintf(c.stdout, "%-16s %10s %10s %10s %7s  %s\n", "case", "ms", "min", "max", "share", "check")
	}
	for _, b := range cases {
		r, err := measureCase(ctx, e, b, limits, opts...)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		if err := r.print(c, *asJSON); err != nil {
			return err
		}
	}
	return nil
}

// benchResult is what a case prints.
type benchResult struct {
	Case   string  `json:"case"`
	Ms     float64 `json:"ms"` // median
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Check  float64 `json:"check"` // proves that another program did the same work
	Share  float64 `json:"share"` // of the peak of multiply-adds
	GFLOPS float64 `json:"fma_gflops"`
	GBs    float64 `json:"gb_s"`
	Error  float64 `json:"error,omitempty"` // with -int8, of the logits
}

func (r benchResult) print(c *call, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(c.stdout).Encode(r)
	}
	_, err := fmt.Fprintf(c.stdout, "%-16s %10.4g %10.4g %10.4g %6.1f%%  %.6g\n", r.Case, r.Ms, r.Min, r.Max, 100*r.Share, r.Check)
	return err
}

func measureCase(ctx context.Context, e engine.Engine, b benchCase, l limits, opts ...vm.Option) (benchResult, error) {
	w, err := b.make(e, opts...)
	if err != nil {
		return benchResult{}, err
	}
	debug.FreeOSMemory() // what is left of making it is not its memory
	check, err := w.check(w)
	if err != nil {
		return benchResult{}, err
	}
	times, err := timeRuns(ctx, w)
	if err != nil {
		return benchResult{}, err
	}
	slices.Sort(times)
	r := benchResult{Case: b.name, Ms: times[len(times)/2], Min: times[0], Max: times[len(times)-1], Check: check, GFLOPS: l.gflops, GBs: l.gbs}
	r.Error = w.err
	r.Share = w.flops / (r.Ms * 1e6) / l.gflops
	return r, nil
}

// timeRuns returns the times of a run in ms: means over blocks of at least 100 ms, for
// about four seconds.
func timeRuns(ctx context.Context, w *workload) (times []float64, err error) {
	const block, budget, most, least = 100 * time.Millisecond, 4 * time.Second, 25, 5
	once := func(runs int) (float64, error) {
		start := time.Now()
		for range runs {
			if _, err := w.run(); err != nil {
				return 0, err
			}
		}
		return time.Since(start).Seconds() * 1e3 / float64(runs), nil
	}
	for range 3 {
		if _, err := w.run(); err != nil {
			return nil, err
		}
	}
	one, err := once(1)
	if err != nil {
		return nil, err
	}
	runs := max(1, int(block.Seconds()*1e3/max(one, 1e-4)))
	for start := time.Now(); len(times) < least || time.Since(start) < budget && len(times) < most; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t, err := once(runs)
		if err != nil {
			return nil, err
		}
		times = append(times, t)
	}
	return times, nil
}

// counter returns n values that any program can make: element i of parameter p.
func counter(n, p int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32((float64((7919*i+131*p)%1009)/504.5 - 1) * scale)
	}
	return v
}

func counterTensor(t shape.Shape, p int, scale float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(t.Ints()...), tensor.WithBacking(counter(t.Len(), p, scale)))
}

// input is the p of the image batch, gradient that of an explicit cotangent.
const (
	inputP    = 1000
	gradientP = 1001
)

func newWorkload(e engine.Engine, outs []*graph.Node, inputs []*tensor.Dense, opts ...vm.Option) (*workload, error) {
	p, err := vm.Compile(e, outs, opts...)
	if err != nil {
		return nil, err
	}
	s := vm.NewStore(1)
	for i, n := range outs[0].Graph().Params() {
		if err := s.Set(n.Name(), parameter(n, i)); err != nil {
			return nil, err
		}
	}
	m, err := p.NewMachine(s)
	if err != nil {
		return nil, err
	}
	return &workload{program: p, store: s, machine: m, inputs: inputs, check: meanAbs}, nil
}

// parameter is the p-th one: of a normalisation the weights are around 1.
func parameter(n *graph.Node, p int) *tensor.Dense {
	if n.Type().Rank() > 1 {
		return counterTensor(n.Type().Shape, p, 1/math.Sqrt(float64(n.Type().Len()/n.Type().Shape.Int(0))))
	}
	d := counterTensor(n.Type().Shape, p, .1)
	if strings.HasSuffix(n.Name(), ".weight") {
		for i := range d.Float32s() {
			d.Float32s()[i]++
		}
	}
	return d
}

// meanAbs sums the mean absolute value of each output.
func meanAbs(w *workload) (sum float64, err error) {
	outs, err := w.run()
	if err != nil {
		return 0, err
	}
	for _, d := range outs {
		s := 0.0
		for _, v := range d.Float32s() {
			s += math.Abs(float64(v))
		}
		sum += s / float64(len(d.Float32s()))
	}
	return sum, nil
}

func gemmCase(e engine.Engine, n int, opts ...vm.Option) (*workload, error) {
	g := graph.New()
	s := shape.OfInts(n, n)
	t := shape.Type{DType: shape.Float32, Shape: s}
	y := ops.MatMul(g.Input("a", t), g.Input("b", t))
	w, err := newWorkload(e, []*graph.Node{y}, []*tensor.Dense{counterTensor(s, 0, 1), counterTensor(s, 1, 1)}, opts...)
	if err != nil {
		return nil, err
	}
	w.flops = 2 * float64(n) * float64(n) * float64(n)
	return w, nil
}

const convFLOP = 2 * 32 * 56 * 56 * 64 * 64 * 9

func conv3x3(e engine.Engine, backward bool, opts ...vm.Option) (*workload, error) {
	g := graph.New()
	x := g.Input("x", shape.F32(32, 64, 56, 56))
	wt := g.Param("w", shape.F32(64, 64, 3, 3), nil)
	y := ops.Conv2D(x, wt, ops.Conv2DOp{Pad: [2][2]int{{1, 1}, {1, 1}}})
	in := []*tensor.Dense{counterTensor(x.Type().Shape, inputP, 1)}
	outs, flops := []*graph.Node{y}, float64(convFLOP)
	if backward {
		dy := g.Input("dy", y.Type())
		outs = autodiff.VJP(y, dy, x, wt)
		in = append(in, counterTensor(y.Type().Shape, gradientP, 1))
		flops *= 2
	}
	w, err := newWorkload(e, outs, in, opts...)
	if err != nil {
		return nil, err
	}
	w.flops = flops
	return w, nil
}

func conv3x3Fwd(e engine.Engine, opts ...vm.Option) (*workload, error) {
	return conv3x3(e, false, opts...)
}

func conv3x3Bwd(e engine.Engine, opts ...vm.Option) (*workload, error) {
	return conv3x3(e, true, opts...)
}

// afford refuses a batch of images that, with so many bytes beside it, memory has no room for.
func (m model) afford(batch, more int) error {
	bytes := float64(batch)*float64(m.input().At(1).Bytes()) + float64(more)
	if room := memlimit.Freed(); bytes > float64(room.Bytes) {
		return fmt.Errorf("a batch of %s images takes %.3g bytes, and %s leaves %.3g", thousands(batch), bytes, room.Of, float64(room.Bytes))
	}
	return nil
}

func (m model) images(batch int) *tensor.Dense {
	return counterTensor(m.input().At(batch).Shape, inputP, 1)
}

func (m model) labels(batch int) *tensor.Dense {
	ids := make([]int32, batch)
	for i := range ids {
		ids[i] = int32(37 * i % len(m.classes))
	}
	return tensor.New(tensor.WithShape(batch), tensor.WithBacking(ids))
}

func inferCase(e engine.Engine, m model, batch int, opts ...vm.Option) (*workload, error) {
	if err := m.afford(batch, 0); err != nil {
		return nil, err
	}
	b := m.infer()
	w, err := newWorkload(e, b.outs, []*tensor.Dense{m.images(batch)}, opts...)
	if err != nil {
		return nil, err
	}
	w.flops = 2 * float64(macs(b.logits)) * float64(batch)
	return w, nil
}

func trainCase(e engine.Engine, m model, batch int, opts ...vm.Option) (*workload, error) {
	if err := m.afford(batch, 0); err != nil {
		return nil, err
	}
	b := m.train(optim.SGD{LR: .01, Momentum: .9})
	w, err := newWorkload(e, b.outs, []*tensor.Dense{m.images(batch), m.labels(batch)}, append(opts, vm.Train)...)
	if err != nil {
		return nil, err
	}
	w.flops = 2 * float64(stepMACs(b.outs[0].Graph())) * float64(batch)
	w.check = thirdLoss
	return w, nil
}

// thirdLoss is the loss of the third step.
func thirdLoss(w *workload) (loss float64, err error) {
	for range 3 {
		outs, err := w.run()
		if err != nil {
			return 0, err
		}
		if loss, err = vm.Number(outs[0]); err != nil {
			return 0, err
		}
	}
	return loss, nil
}

// macs counts the multiply-accumulates that n takes, for one image.
func macs(n *graph.Node) (sum int) {
	for _, x := range graph.Reachable(n) {
		sum += nn.MACs(x)
	}
	return sum
}

// stepMACs counts those of a training step.
func stepMACs(g *graph.Graph) (sum int) {
	roots := g.Updates()
	nodes := make([]*graph.Node, len(roots))
	for i, u := range roots {
		nodes[i] = u.Value
	}
	for _, x := range graph.Reachable(nodes...) {
		sum += nn.MACs(x)
	}
	return sum
}
