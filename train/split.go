package train

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/shards"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// split splits the graph for training, in which Inputs stand for the loss and the gradients already,
// in two: what is computed for a shard, and what changes the values, given the sums over all shards. An update without owner of a floating-point value, such as a running statistic, becomes the mean of
// the updates of all shards, weighted by the number of their examples.
func (n *Network) split(team *shards.Team) error {
	c := n.computed
	g := c.loss.Graph()
	tracked, err := n.trackedOf(g)
	if err != nil {
		return err
	}
	b := team.Build(g)
	for in, of := range map[*graph.Node]func(shardInputs) *tensor.Dense{
		b.Shard: func(s shardInputs) *tensor.Dense { return s.number },
		b.Part:  func(s shardInputs) *tensor.Dense { return s.part },
		b.Whole: func(s shardInputs) *tensor.Dense { return s.whole },
	} {
		n.feeds[in] = func(_ data.Batch, r results) *tensor.Dense { return of(r.shard) }
	}
	roots := append([]*graph.Node{c.loss, c.output, b.Shard, b.Part, b.Whole}, c.grads...)
	for _, u := range tracked.measured {
		roots = append(roots, ops.Mul(u.Value, b.Share(u.Value)))
	}
	image := b.Transform(g, roots)
	if err := image[0].Graph().Err(); err != nil {
		return err
	}
	n.Shard = []*graph.Node{image[0], image[1], b.Moved(image[2], image[3], image[4]).Collect(image[5:])}
	if err := image[0].Graph().Err(); err != nil {
		return err
	}
	return n.updates(g, tracked)
}

// tracked are the updates without an owner that a training step makes.
type tracked struct {
	measured []graph.Update // of floating-point values
	counted  []graph.Update // of integers, which do not depend on the batch
}

func (n *Network) trackedOf(g *graph.Graph) (t tracked, err error) {
	read := map[*graph.Node]bool{}
	for _, m := range graph.Reachable(n.computed.loss, n.computed.output) {
		read[m] = true
	}
	var made []graph.Update
	for _, u := range g.Updates() {
		if u.Owner == nil && (u.Use == nil && read[u.Leaf] || read[u.Use]) {
			made = append(made, u)
		}
	}
	for _, u := range graph.LastOfEach(made) {
		if u.Leaf.Type().IsFloat() {
			t.measured = append(t.measured, u)
			continue
		}
		for _, m := range graph.Reachable(u.Value) {
			if m.Kind() == graph.Input {
				return t, fmt.Errorf("the update of %v, made at %v, depends on the batch; that of an integer cannot be put together from those of shards", u.Leaf, u.Value.Pos())
			}
		}
		t.counted = append(t.counted, u)
	}
	return t, nil
}

// updates makes the second half: a graph with the updates of the optimiser, with those that count, and
// with Inputs for the values that are measured.
func (n *Network) updates(g *graph.Graph, t tracked) error {
	var kept []graph.Update
	for _, u := range g.Updates() {
		if u.Owner != nil {
			kept = append(kept, u)
		}
	}
	kept = append(kept, t.counted...)
	roots := []*graph.Node{n.Training.Loss, n.Training.Rate}
	for _, u := range append(kept, t.measured...) {
		roots = append(roots, u.Leaf)
	}
	for _, u := range kept {
		roots = append(roots, u.Value)
	}
	image := graph.Transform(roots, graph.InTurn(kept))
	n.updating = image[:2:2]
	leaves, values := image[2:], image[2+len(kept)+len(t.measured):]
	dst := image[0].Graph()
	for i, u := range kept {
		update := func() { dst.Update(leaves[i], values[i]) }
		if u.Owner == nil {
			update()
			continue
		}
		dst.Owned(*u.Owner, update)
	}
	for i, u := range t.measured {
		next := n.input(dst, "the next "+u.Leaf.Name(), u.Leaf.Type(), func(_ data.Batch, r results) *tensor.Dense { return r.states[i] })
		dst.Update(leaves[len(kept)+i], next)
	}
	return dst.Err()
}

// shardInputs are the values of the Inputs of a [shards.Builder].
type shardInputs struct{ number, part, whole *tensor.Dense }

func newShardInputs(shard int) shardInputs {
	return shardInputs{
		number: tensor.New(tensor.FromScalar(int32(shard))),
		part:   tensor.New(tensor.FromScalar(float64(0))),
		whole:  tensor.New(tensor.FromScalar(float64(0))),
	}
}

// set sets the numbers of examples.
func (s shardInputs) set(part, whole int) {
	s.part.Set(0, float64(part))
	s.whole.Set(0, float64(whole))
}

// setScalar sets the only element of a scalar.
func setScalar(d *tensor.Dense, v float64) {
	if d.Dtype() == tensor.Float64 {
		d.Set(0, v)
		return
	}
	d.Set(0, float32(v))
}

func newScalar(d shape.DType) *tensor.Dense {
	if d == shape.Float64 {
		return tensor.New(tensor.FromScalar(float64(0)))
	}
	return tensor.New(tensor.FromScalar(float32(0)))
}
