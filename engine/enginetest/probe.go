package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/shape"
)

// probe is a trial bound to the engine under test.
type probe struct {
	trial
	opts   Options
	bound  engine.Bound
	inputs []engine.Buffer
	first  [][]byte // the outputs of the first run
}

// check runs all checks on e's kernel.
func (tr trial) check(e engine.Engine, o Options, r *rand.Rand) error {
	b, err := tr.bind(e, tr.operands(), tr.results())
	if err != nil {
		return fmt.Errorf("refused: %w", err)
	}
	o.Allocates = o.Allocates || b.Memory != nil
	p := &probe{trial: tr, opts: o, bound: engine.Hosted(b)}
	for i, t := range tr.in {
		in := newBuffer(t.DType, t.Len())
		tr.data[i].fill(r, in)
		p.inputs = append(p.inputs, in)
	}
	for _, c := range checks {
		if err := c.check(p); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if tr.fails && c.name == "result" {
			break
		}
	}
	return nil
}

// checks lists the checks for every kernel, in order.
var checks = []struct {
	name  string
	check func(*probe) error
}{
	{"description", (*probe).checkBound},
	{"result", (*probe).checkResult},
	{"again, in memory that was dirty otherwise", (*probe).checkAgain},
	{"between pages that must not be touched", (*probe).checkGuarded},
	{"with an input packed before", (*probe).checkPacked},
	{"in place", (*probe).checkInPlace},
	{"with one memory for two inputs", (*probe).checkShared},
	{"at another GOMAXPROCS", (*probe).checkProcs},
	{"in many goroutines", (*probe).checkConcurrent},
	{"allocations", (*probe).checkAllocations},
}

func (p *probe) checkBound() error {
	if p.bound.Kernel == nil || p.bound.By == "" || p.bound.Scratch < 0 {
		return fmt.Errorf("kernel %t, by %q, scratch %d", p.bound.Kernel != nil, p.bound.By, p.bound.Scratch)
	}
	for _, w := range p.bound.InPlace {
		if w.Out < 0 || w.Out >= len(p.out) || w.In < 0 || w.In >= len(p.in) || p.out[w.Out].Bytes() != p.in[w.In].Bytes() {
			return fmt.Errorf("output %d cannot be put over input %d", w.Out, w.In)
		}
	}
	b, err := p.bind(oracle, p.operands(), p.trial.results())
	if err == nil && p.bound.Fails && !b.Fails {
		return errors.New("marked as one that fails; there is no value that it may refuse")
	}
	return err
}

// checkResult compares the result with ref's.
func (p *probe) checkResult() error {
	m := p.memory(layout{dirt: 0xFF})
	err := m.run(p.bound.Kernel)
	switch {
	case err != nil && !p.bound.Fails:
		return fmt.Errorf("error without the mark Fails: %w", err)
	case err != nil && !p.fails:
		return err
	case err == nil && p.fails:
		return errors.New("no error, where the input is wrong")
	}
	if err := m.check(p.inputs); err != nil || p.fails {
		return err
	}
	cs, err := p.candidates(p.inputs, p.opts)
	if err != nil {
		return err
	}
	p.first = m.results()
	l := p.limit
	if p.bound.Alg == "winograd" || p.bound.Alg == "nhwc winograd" {
		l.terms = winogradUlps
	}
	return l.check(m.call.Out, cs, p.opts)
}

// expect runs the kernel in a layout and expects the given bits.
func (p *probe) expect(want [][]byte, l layout) error {
	m := p.memory(l)
	defer m.release()
	if err := m.run(p.bound.Kernel); err != nil {
		return err
	}
	return errors.Join(m.expect(want), m.check(p.inputs))
}

func (m *memory) expect(want [][]byte) error {
	for o, b := range m.call.Out {
		if !bytes.Equal(b.Bytes(), want[o]) {
			return fmt.Errorf("output %d has other bits", o)
		}
	}
	return nil
}

func (p *probe) checkAgain() error {
	for skew := 1; skew <= 3; skew += 2 {
		if err := p.expect(p.first, layout{dirt: 1, skew: skew}); err != nil {
			return err
		}
	}
	return nil
}

// checkGuarded runs the kernel with a page that faults directly behind each buffer, and then
// directly before it.
func (p *probe) checkGuarded() error {
	return errors.Join(p.expect(p.first, layout{guard: guardAfter, dirt: 1}), p.expect(p.first, layout{guard: guardBefore, dirt: 1}))
}

// checkPacked packs the input that the kernel can use in packed form, and runs it on that.
func (p *probe) checkPacked() error {
	pack := p.bound.Packing
	if pack.Kernel == nil {
		return nil
	}
	if pack.In < 0 || pack.In >= len(p.in) || pack.Bytes < 0 || pack.Scratch < 0 || pack.Rest < 0 || pack.Rest > p.bound.Scratch {
		return fmt.Errorf("it packs input %d in %d bytes, with %d of scratch; %d are left of %d", pack.In, pack.Bytes, pack.Scratch, pack.Rest, p.bound.Scratch)
	}
	packer := *p
	packer.trial = trial{in: p.in[pack.In:][:1], out: []shape.Type{shape.U8(shape.Dim(pack.Bytes))}}
	packer.bound = engine.Bound{Kernel: pack.Kernel, Scratch: pack.Scratch}
	packer.inputs = p.inputs[pack.In:][:1]
	for _, l := range []layout{{dirt: 0xFF}, {dirt: 1, guard: guardAfter}} {
		from := packer.memory(l)
		defer from.release()
		if err := errors.Join(from.run(pack.Kernel), from.check(packer.inputs)); err != nil {
			return fmt.Errorf("packing: %w", err)
		}
		q := *p
		q.bound.Scratch = pack.Rest
		to := q.memory(l)
		defer to.release()
		to.call.Packed = from.call.Out[0]
		if err := errors.Join(to.run(p.bound.Kernel), to.expect(p.first), to.check(p.inputs), from.check(packer.inputs)); err != nil {
			return err
		}
	}
	return nil
}

// checkInPlace tries each allowed overwrite, and then as many as possible at once.
func (p *probe) checkInPlace() error {
	all, taken := p.nothingOver(), map[int]bool{}
	for _, w := range p.bound.InPlace {
		alone := p.nothingOver()
		alone[w.Out] = w.In
		if err := p.expect(p.first, layout{over: alone}); err != nil {
			return fmt.Errorf("output %d over input %d: %w", w.Out, w.In, err)
		}
		if all[w.Out] < 0 && !taken[w.In] {
			all[w.Out], taken[w.In] = w.In, true
		}
	}
	if len(taken) < 2 {
		return nil
	}
	if err := p.expect(p.first, layout{over: all}); err != nil {
		return fmt.Errorf("outputs over inputs %v: %w", all, err)
	}
	return nil
}

func (p *probe) nothingOver() []int { return slices.Repeat([]int{-1}, len(p.out)) }

// checkShared gives two inputs of the same type the same memory, as for an op of x and x.
func (p *probe) checkShared() error {
	i, j := p.twins()
	if j == 0 {
		return nil
	}
	q := *p
	q.inputs = slices.Clone(p.inputs)
	q.inputs[j] = q.inputs[i]
	m := q.memory(layout{})
	if err := m.run(q.bound.Kernel); err != nil {
		return err
	}
	want := m.results()
	same := make([]int, len(p.in))
	for k := range same {
		same[k] = k
	}
	same[j] = i
	if err := q.expect(want, layout{same: same}); err != nil {
		return fmt.Errorf("inputs %d and %d: %w", i, j, err)
	}
	for _, w := range p.bound.InPlace {
		if !p.twice || w.In != i || !slices.Contains(p.bound.InPlace, engine.Overwrite{Out: w.Out, In: j}) {
			continue
		}
		over := p.nothingOver()
		over[w.Out] = w.In
		if err := q.expect(want, layout{same: same, over: over}); err != nil {
			return fmt.Errorf("inputs %d and %d, and output %d: %w", i, j, w.Out, err)
		}
	}
	return nil
}

// twins returns two inputs of the same type, or zeros.
func (p *probe) twins() (i, j int) {
	for j := range p.in {
		if i := slices.Index(p.in[:j], p.in[j]); i >= 0 {
			return i, j
		}
	}
	return 0, 0
}

func (p *probe) checkProcs() error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, n := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(n)
		if err := p.expect(p.first, layout{}); err != nil {
			return fmt.Errorf("%d: %w", n, err)
		}
	}
	return nil
}

// checkConcurrent runs the kernel in goroutines with separate calls that share inputs.
func (p *probe) checkConcurrent() error {
	const goroutines, runs = 3, 2
	shared := p.memory(layout{}).call.In
	errs := make([]error, goroutines)
	var wg sync.WaitGroup
	for i := range errs {
		m := p.memory(layout{dirt: byte(i)})
		m.call.In = shared
		wg.Go(func() {
			for range runs {
				errs[i] = errors.Join(errs[i], m.run(p.bound.Kernel), m.expect(p.first), m.check(p.inputs))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// checkAllocations counts allocations with one processor, and with several, where kernels divide their
// work.
func (p *probe) checkAllocations() error {
	if p.opts.Allocates || raceDetector {
		return nil
	}
	m := p.memory(layout{})
	run := func() { _ = p.bound.Kernel(&m.call) }
	if n := allocs.PerRun(3, run); n > 0 {
		return fmt.Errorf("%v a run with one processor", n)
	}
	if n := mallocs(run); n > 0 {
		return fmt.Errorf("%v a run", n)
	}
	return nil
}

// mallocs counts the allocations of a run of f. It takes the minimum of many attempts, because others
// allocate as well: under load the runtime makes a record for each wait of a worker, until the
// processor that they are given back to has kept 128 of them.
func mallocs(f func()) uint64 {
	const attempts, runs = 66, 2
	least := ^uint64(0)
	for range attempts {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			f()
		}
		runtime.ReadMemStats(&after)
		least = min(least, (after.Mallocs-before.Mallocs)/runs)
		if least == 0 {
			break
		}
	}
	return least
}
