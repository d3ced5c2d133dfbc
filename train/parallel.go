package train

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/frames"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/shards"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/train/metrics"
	"github.com/plexaura/plexaura/vm"
)

// Parallel says how the batches of a run are computed in shards, on one process or on several. The
// zero Parallel computes each batch as a whole, on one process.
type Parallel struct {
	// Group is the group of the processes that train together; nil means that there is only this
	// one. Each calls [Fit] with the same Config, apart from Group, and gets the same result. Only rank 0
	// calls the callbacks of the Config and writes files; the others take over what callbacks change in
	// the store. An error on one rank ends the run on all.
	Group dist.Group
	// Shards is the number of parts that a batch is cut into, by the position of the examples. It must
	// be a multiple of the number of ranks. The same number gives the same bits on any number of
	// ranks. Default: the number of ranks.
	Shards int
	// LocalBatchNorm normalises each shard by its own moments. By default batch normalisation takes the
	// moments of the whole batch. Running statistics are in both cases those of all shards.
	LocalBatchNorm bool
	// Wire is how gradients travel. The default adds them in a fixed order; with the others, other
	// numbers of ranks give other bits.
	Wire dist.Wire
	// Timeout is how long a rank waits for the others, which also compute in the meantime, before it
	// ends the run; default 30 seconds.
	Timeout time.Duration
}

const defaultTimeout = 30 * time.Second

// parallel reports whether batches are computed in shards.
func (p Parallel) parallel() bool { return p.Shards > 1 }

// ofRank returns the Config for a rank: only rank 0 writes files and calls back.
func (c Config) ofRank() Config {
	if c.Group.Rank() > 0 {
		c.Folder, c.Lock, c.Callbacks, c.OnStart, c.OnStep, c.OnEpoch = "", nil, nil, nil, nil, nil
	}
	return c
}

// ofEach makes the memory for so many bytes from each rank.
func ofEach(ranks, bytes int) [][]byte {
	s := make([][]byte, ranks)
	for i := range s {
		s[i] = make([]byte, bytes)
	}
	return s
}

// withDefaults fills in what is not set.
func (p Parallel) withDefaults() (Parallel, error) {
	switch {
	case p.Group != nil && isnil.Of(p.Group):
		return p, errors.New("the Config has a Group that is a nil pointer")
	case p.Group == nil:
		p.Group = dist.Single()
	}
	if p.Shards == 0 {
		p.Shards = p.Group.Size()
	}
	if p.Timeout == 0 {
		p.Timeout = defaultTimeout
	}
	switch {
	case p.Shards < 1 || p.Shards%p.Group.Size() != 0:
		return p, fmt.Errorf("Shards is %d on %d ranks; want a multiple of the number of ranks", p.Shards, p.Group.Size())
	case p.Timeout < 0:
		return p, fmt.Errorf("Timeout is %v; want a positive duration", p.Timeout)
	case p.Wire > dist.Library:
		return p, fmt.Errorf("there is no Wire %d", p.Wire)
	}
	return p, nil
}

// parallel computes the steps of a run in shards.
type parallel struct {
	team   *shards.Team
	local  []*runner // compute losses and gradients, by own shard
	update *runner   // changes the values, given the sums over all shards
	views  map[*tensor.Dense][]data.Batch
	loss   *tensor.Dense // of the batch

	own  []Metrics // of a step, by own shard
	send []byte
	recv [][]byte // by rank
}

// newParallel makes the machines of p.
func (r *run) newParallel(p programs) (*parallel, error) {
	_, lo, hi := r.team.Shards()
	x := &parallel{
		team: r.team, views: map[*tensor.Dense][]data.Batch{},
		own: make([]Metrics, hi-lo), send: make([]byte, (hi-lo)*metricsBytes),
	}
	for range r.Group.Size() {
		x.recv = append(x.recv, make([]byte, len(x.send)))
	}
	for s := lo; s < hi; s++ {
		l, err := p.newRunner(p.gradient, r.state.Store, r.batches.Info())
		if err != nil {
			return nil, err
		}
		l.given.shard = newShardInputs(s)
		if r.training.part != nil { // the sums of the epoch are merged in the order of the shards
			if l.part, err = r.inTraining(p).part(); err != nil {
				return nil, err
			}
		}
		x.local = append(x.local, l)
	}
	var err error
	if x.update, err = p.newRunner(p.training, r.state.Store, r.batches.Info()); err != nil {
		return nil, err
	}
	sums, params := r.team.Sums(), len(p.computed.wrt)
	x.loss = newScalar(p.computed.loss.Type().DType)
	x.update.given = results{loss: x.loss, grads: sums[:params], states: sums[params:]}
	return x, r.team.Prepare(p.Shard...)
}

// parallelStep makes the step of a batch, of which the own examples were read.
func (r *run) parallelStep(ctx context.Context, b data.Batch) (m Metrics, res results, err error) {
	x, n := r.parallel, len(b.Examples)
	_, lo, _ := x.team.Shards()
	clear(x.own)
	if r.Group.Size() > 1 {
		ctx = context.WithoutCancel(ctx) // a run ends between steps; see together
	}
	err = x.team.Run(ctx, n, func(ctx context.Context, s int) (err error) {
		l := x.local[s-lo]
		part := x.part(b, s)
		l.given.shard.set(len(part.Examples), n)
		x.own[s-lo], _, err = l.run(ctx, part)
		return err
	})
	if err != nil {
		return m, res, r.broken(err)
	}
	if m, err = x.total(ctx, r); err != nil {
		return m, res, r.broken(err)
	}
	if err := r.mergeStep(ctx, n); err != nil {
		return m, res, r.broken(err)
	}
	setScalar(x.loss, m.LossSum/float64(n))
	if res, err = x.update.results(ctx, b); err != nil {
		return m, res, err
	}
	res.rate = res.output // the second output of the program
	return m, res, nil
}

// part returns the examples of shard s of b.
func (x *parallel) part(b data.Batch, s int) data.Batch {
	k, lo, hi := x.team.Shards()
	views := x.views[b.X]
	if views == nil {
		views = make([]data.Batch, hi-lo)
		for i := range views {
			from, to := x.team.Part(lo+i, len(b.Examples))
			views[i] = data.Batch{X: rows(b.X, from, to), Y: rows(b.Y, from, to)}
		}
		if len(x.views) > k+data.MaxWorkers { // an abandoned Read had memory of its own
			clear(x.views)
		}
		x.views[b.X] = views
	}
	v := views[s-lo]
	from, to := x.team.Part(s, len(b.Examples))
	v.Index, v.Examples = b.Index, b.Examples[from:to]
	return v
}

// rows returns a view of some rows of d; nil if there are none.
func rows(d *tensor.Dense, lo, hi int) *tensor.Dense {
	if lo == hi {
		return nil
	}
	shape := d.Shape().Clone()
	each := d.Size() / shape[0]
	shape[0] = hi - lo
	switch v := d.Data().(type) {
	case []float32:
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v[lo*each:hi*each:hi*each]))
	case []int32:
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v[lo*each:hi*each:hi*each]))
	}
	panic(fmt.Sprintf("train: a batch of %v", d.Dtype()))
}

// total returns the results on all shards, added in their order.
func (x *parallel) total(ctx context.Context, r *run) (sum Metrics, err error) {
	for i, m := range x.own {
		m.encode(x.send[i*metricsBytes:])
	}
	ctx, cancel := r.waiting(ctx)
	defer cancel()
	if err := r.Group.Gather(ctx, x.send, x.recv); err != nil {
		return sum, err
	}
	for _, part := range x.recv {
		for ; len(part) > 0; part = part[metricsBytes:] {
			sum.add(decodeMetrics(part))
		}
	}
	return sum, nil
}

// mergeStep merges the metrics of all shards of a batch of n examples into those of the epoch.
func (r *run) mergeStep(ctx context.Context, n int) (err error) {
	if len(r.training.sums.Metrics()) == 0 {
		return nil
	}
	x := r.parallel
	_, lo, _ := x.team.Shards()
	var own []byte
	for i, l := range x.local {
		if from, to := x.team.Part(lo+i, n); from == to {
			continue
		}
		if own, err = appendPart(own, l.part); err != nil {
			return err
		}
	}
	all, err := r.exchange(ctx, own)
	if err != nil {
		return err
	}
	for _, parts := range all {
		for len(parts) > 0 {
			if parts, err = mergePart(r.training.sums, r.training.part, parts); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendPart appends the encoded metrics of a part of a batch.
func appendPart(b []byte, part *metrics.Set) ([]byte, error) {
	encoded, err := part.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	return frames.Append(b, encoded), nil
}

// mergePart merges the first encoded metrics of parts into sums, and returns the rest. It overwrites
// part.
func mergePart(sums, part *metrics.Set, parts []byte) (rest []byte, err error) {
	encoded, rest, ok := frames.Cut(parts)
	if !ok {
		return nil, errors.New("the metrics of another rank are cut off")
	}
	if err := part.UnmarshalBinary(encoded); err != nil {
		return nil, err
	}
	return rest, sums.Merge(part)
}

// exchange returns what each rank passes.
func (r *run) exchange(ctx context.Context, own []byte) ([][]byte, error) {
	if r.Group.Size() == 1 {
		return [][]byte{own}, nil
	}
	ctx, cancel := r.waiting(ctx)
	defer cancel()
	return dist.Collect(ctx, r.Group, own, maxMessages)
}

// maxMessages bounds what all ranks send each other at once, in bytes, besides gradients.
const maxMessages = 1 << 31

// validateShards evaluates every batch in shards.
func (r *run) validateShards(ctx context.Context) (sum Metrics, err error) {
	x := r.parallel
	_, lo, hi := x.team.Shards()
	var own []byte
	for b, err := range r.validation.EpochFrom(ctx, 0, 0) {
		if err != nil {
			return sum, err
		}
		for s := lo; s < hi; s++ {
			part := x.part(b, s)
			if len(part.Examples) == 0 {
				continue
			}
			if own, err = r.evaluateShard(ctx, own, part); err != nil {
				return sum, fmt.Errorf("batch %d of %d: %w", b.Index+1, r.validation.Len(), err)
			}
		}
	}
	clear(x.views) // of validation's batches
	if err := r.together(ctx, nil); err != nil {
		return sum, err
	}
	all, err := r.exchange(ctx, own)
	if err != nil {
		return sum, r.broken(err)
	}
	return r.mergeValidation(all)
}

// evaluateShard evaluates a part of a batch, and appends its encoded results to b.
func (r *run) evaluateShard(ctx context.Context, b []byte, part data.Batch) ([]byte, error) {
	m, _, err := r.eval.run(ctx, part)
	if err != nil {
		return nil, err
	}
	b = append(b, make([]byte, metricsBytes)...)
	m.encode(b[len(b)-metricsBytes:])
	return appendPart(b, r.eval.part)
}

// mergeValidation merges the results that the ranks have sent, in the order of batches and shards.
func (r *run) mergeValidation(all [][]byte) (sum Metrics, err error) {
	size := min(r.Batch, r.Validation.Len())
	k, _, _ := r.team.Shards()
	v := r.validating
	v.sums.Reset()
	for left := r.Validation.Len(); left > 0; left -= size {
		n := min(size, left)
		for s := range min(k, n) {
			rank := s / (k / len(all))
			if len(all[rank]) < metricsBytes {
				return sum, errors.New("the results of another rank are cut off")
			}
			sum.add(decodeMetrics(all[rank]))
			if all[rank], err = mergePart(v.sums, v.part, all[rank][metricsBytes:]); err != nil {
				return sum, err
			}
		}
	}
	sum.Values, err = v.sums.Values()
	return sum, err
}

// metricsBytes is the size of encoded Metrics.
const metricsBytes = 32

func (m Metrics) encode(b []byte) {
	for i, v := range []uint64{uint64(m.Examples), math.Float64bits(m.LossSum), uint64(m.Correct), uint64(m.Labels)} {
		binary.LittleEndian.PutUint64(b[8*i:], v)
	}
}

func decodeMetrics(b []byte) Metrics {
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return Metrics{Examples: int(at(0)), LossSum: math.Float64frombits(at(1)), Correct: int(at(2)), Labels: int(at(3))}
}

// waiting returns a context that limits how long an operation waits for other ranks.
func (r *run) waiting(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.Group.Size() == 1 {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), r.Timeout)
}

// broken ends the other ranks, which are in the middle of something that this rank cannot take part in.
func (r *run) broken(err error) error {
	if r.Group.Size() > 1 && !r.told {
		r.told, r.apart = true, true
		r.Group.Abort(err)
	}
	return err
}

// A SharedError is an error of [Fit] that all ranks know of, and that all of them return, each in its own
// words. Other errors, such as those of the group itself, are of one rank.
type SharedError struct{ Err error }

// Error is that of Err.
func (e *SharedError) Error() string {
	if e == nil || e.Err == nil {
		return "no error"
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *SharedError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// shared returns err as one that all ranks know of, if they do.
func (r *run) shared(err error) error {
	if err == nil || r.Group.Size() == 1 || r.apart {
		return err
	}
	return &SharedError{err}
}

// together tells the other ranks of err, and returns err or, if that is nil, that of another rank. All
// ranks call it before each step, which so is made by all or by none.
func (r *run) together(ctx context.Context, err error) error {
	if r.Group.Size() == 1 || r.told {
		return err
	}
	ctx, cancel := r.waiting(ctx)
	defer cancel()
	own := []byte{0}
	if err != nil {
		own[0] = 1
	}
	if failed := r.Group.Gather(ctx, own, r.status); failed != nil {
		return r.broken(errors.Join(err, failed))
	}
	quiet := true
	for _, s := range r.status {
		quiet = quiet && s[0] == 0
	}
	if quiet {
		return nil
	}
	r.told = true
	all, failed := dist.Collect(ctx, r.Group, encodeError(err), maxErrors)
	switch {
	case err != nil:
		return err
	case failed != nil:
		return failed
	}
	for rank, message := range all {
		if e := decodeError(rank, message); e != nil {
			return e
		}
	}
	return errors.New("another rank stopped")
}

// maxErrors bounds what ranks tell each other of errors, in bytes.
const maxErrors = 1 << 20

// The kinds of errors that ranks tell each other of.
const (
	kindOther    = 'e'
	kindStop     = 's'
	kindCanceled = 'c'
)

func encodeError(err error) []byte {
	const most = 1000
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrStop):
		return []byte{kindStop}
	case errors.Is(err, context.Canceled):
		return []byte{kindCanceled}
	}
	m := err.Error()
	return append([]byte{kindOther}, m[:min(len(m), most)]...)
}

func decodeError(rank int, m []byte) error {
	switch {
	case len(m) == 0:
		return nil
	case m[0] == kindStop:
		return ErrStop
	case m[0] == kindCanceled:
		return fmt.Errorf("on rank %d: %w", rank, context.Canceled)
	}
	return fmt.Errorf("rank %d stopped: %s", rank, m[1:])
}

// written returns how often each value has been written.
func (r *run) written() map[string]uint64 {
	if r.Group.Size() == 1 {
		return nil
	}
	writes := map[string]uint64{}
	for _, name := range r.state.Store.Names() {
		writes[name] = r.state.Store.Writes(name)
	}
	return writes
}

// share gives the other ranks the values that callbacks of rank 0 have changed.
func (r *run) share(ctx context.Context) error {
	if r.Group.Size() == 1 {
		return nil
	}
	own, err := r.changed()
	if err != nil {
		return r.broken(err)
	}
	all, err := r.exchange(ctx, own)
	if err != nil {
		return r.broken(err)
	}
	if r.Group.Rank() == 0 || len(all[0]) == 0 {
		return nil
	}
	file, err := safetensors.Read(bytes.NewReader(all[0]))
	if err != nil {
		return r.broken(err)
	}
	for _, t := range file.Tensors {
		if err := setBytes(r.state.Store, t); err != nil {
			return r.broken(err)
		}
	}
	return nil
}

// changed returns the values of this rank's store that have been written since r.writes, as a
// safetensors file; nil if there are none.
func (r *run) changed() ([]byte, error) {
	var f safetensors.File
	for _, name := range r.state.Store.Names() {
		if r.state.Store.Writes(name) == r.writes[name] {
			continue
		}
		v, err := r.state.Store.Value(name)
		if err != nil {
			return nil, err
		}
		f.Tensors = append(f.Tensors, safetensors.OfBytes(name, typeOf(v), engine.BufferOfDense(v).Bytes()))
	}
	if len(f.Tensors) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	err := safetensors.Write(&b, f)
	return b.Bytes(), err
}

// setBytes sets the value of s that has the name of t, to t.
func setBytes(s *vm.Store, t safetensors.Tensor) error {
	v, err := s.Value(t.Name)
	if err != nil {
		return err
	}
	b := engine.BufferOfDense(v).Bytes()
	if len(b) != len(t.Data) {
		return fmt.Errorf("rank 0 has %v, this rank %v as %q", t, typeOf(v), t.Name)
	}
	copy(b, t.Data)
	return s.Set(t.Name, v)
}

// agree returns an error if the ranks are about to train different things.
func (r *run) agree(ctx context.Context) error {
	if r.Group.Size() == 1 {
		return nil
	}
	ctx, cancel := r.waiting(ctx)
	defer cancel()
	facts, err := r.facts()
	if err = r.together(ctx, err); err != nil {
		return err
	}
	if err := dist.Agree(ctx, r.Group, facts...); err != nil {
		r.told = true
		return err
	}
	return nil
}

// facts are what the ranks must agree on.
func (r *run) facts() ([]dist.Fact, error) {
	p := r.state.Progress
	gradient, update, err := r.programs.digests()
	if err != nil {
		return nil, err
	}
	facts := []dist.Fact{
		{Name: "seed", Value: fmt.Sprint(r.Seed)},
		{Name: "batch size", Value: fmt.Sprint(r.Batch)},
		{Name: "epochs", Value: fmt.Sprint(r.Epochs)},
		{Name: "shards", Value: fmt.Sprint(r.Shards, r.LocalBatchNorm, r.Wire)},
		{Name: "training examples", Value: fmt.Sprint(r.examples(), " ", r.streamed())},
		{Name: "position", Value: fmt.Sprint(len(p.Epochs), " epochs, ", p.Batch, " batches")},
		{Name: "the program of a shard", Value: gradient},
		{Name: "the program of updates", Value: update},
	}
	if r.later != nil {
		gradient, update, err := r.later.programs.digests()
		if err != nil {
			return nil, err
		}
		facts = append(facts, dist.Fact{Name: "what is trained later", Value: fmt.Sprint(r.UnfreezeAt, gradient, update)})
	}
	if r.Stream != nil {
		facts = append(facts, dist.Fact{Name: "training data", Value: fmt.Sprint(r.raw())})
	}
	for _, of := range []struct {
		name string
		ds   data.Dataset
	}{{"training data", r.Train}, {"validation data", r.Validation}} {
		d, err := digest(of.ds)
		if err != nil {
			return nil, err
		}
		facts = append(facts, dist.Fact{Name: of.name, Value: d})
	}
	values, err := digestOf(r.state.Store)
	return append(facts, dist.Fact{Name: "initial values", Value: values}, dist.Fact{Name: "settings", Value: string(r.state.Settings)}), err
}

// digests returns digests of the programs of a shard and of updates.
func (p programs) digests() (gradient, update string, err error) {
	if gradient, err = digestProgram(p.gradient); err != nil {
		return "", "", err
	}
	update, err = digestProgram(p.training)
	return gradient, update, err
}

// digestProgram returns a digest of the instructions of p, with their kernels: other kernels compute
// other bits.
func digestProgram(p *vm.Program) (string, error) {
	list, err := p.Describe(1)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, in := range list {
		fmt.Fprintln(h, in.Name, in.Text, in.Engine, in.Alg)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// digest returns a digest of some of the examples.
func digest(ds data.Dataset) (string, error) {
	if ds == nil {
		return "none", nil
	}
	const most = 16
	examples := make([]int, min(most, ds.Len()))
	for i := range examples {
		examples[i] = i * ds.Len() / len(examples)
	}
	some, err := data.Subset(ds, examples)
	if err != nil {
		return "", err
	}
	l, err := data.NewLoader(some, data.Batching{Size: max(1, len(examples))})
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprint(h, ds.Len(), l.Info())
	for b, err := range l.Epoch(0) {
		if err != nil {
			return "", err
		}
		h.Write(engine.BufferOfDense(b.X).Bytes())
		h.Write(engine.BufferOfDense(b.Y).Bytes())
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// digestOf returns a digest of the values of s.
func digestOf(s *vm.Store) (string, error) {
	h := sha256.New()
	for _, name := range s.Names() {
		v, err := s.Value(name)
		if err != nil {
			return "", err
		}
		fmt.Fprint(h, name, v.Dtype(), v.Shape())
		h.Write(engine.BufferOfDense(v).Bytes())
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
